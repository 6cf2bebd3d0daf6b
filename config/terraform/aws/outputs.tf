# What stages 02 to 09 read, from `terraform output -json`.

output "region" {
  description = "Where it all is."
  value       = var.region
}

output "route_table_id" {
  description = "The table that stage 08 adds the pods' routes to."
  value       = aws_route_table.nodes.id
}

output "user" {
  description = "Whom to log in as, on Ubuntu's images."
  value       = "ubuntu"
}

output "key_name" {
  description = "The key pair of the operator's key."
  value       = aws_key_pair.operator.key_name
}

output "machines" {
  description = "Each node's machine."
  value = {
    for name, instance in aws_instance.node : name => {
      id             = instance.id
      address        = instance.private_ip
      public_address = instance.public_ip
      interface_id   = instance.primary_network_interface_id
    }
  }
}
