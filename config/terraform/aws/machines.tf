# The machines: one for each node.

data "aws_ec2_instance_type" "node" {
  instance_type = var.instance_type
}

locals {
  is_arm       = contains(data.aws_ec2_instance_type.node.supported_architectures, "arm64")
  architecture = local.is_arm ? "arm64" : "amd64"
  volume       = tonumber(var.ubuntu) >= 23.10 ? "ebs-gp3" : "ebs-gp2"
}

# Canonical's newest image of the release: https://documentation.ubuntu.com/aws/
data "aws_ssm_parameter" "ubuntu" {
  count = var.image == null ? 1 : 0

  name = "/aws/service/canonical/ubuntu/server/${var.ubuntu}/stable/current/${local.architecture}/hvm/${local.volume}/ami-id"
}

resource "aws_key_pair" "operator" {
  key_name   = var.name
  public_key = trimspace(file(var.public_key_file))
}

resource "aws_instance" "node" {
  for_each = var.nodes

  # An image's id is no secret, though it comes from the parameter store.
  ami           = var.image != null ? var.image : nonsensitive(data.aws_ssm_parameter.ubuntu[0].value)
  instance_type = var.instance_type
  key_name      = aws_key_pair.operator.key_name

  subnet_id                   = aws_subnet.nodes.id
  private_ip                  = each.value.address
  associate_public_ip_address = true
  vpc_security_group_ids      = [aws_security_group.nodes.id]

  # Packets of pods come and go by the node, and bear addresses that AWS did not give it; in
  # tunnels they bear the nodes'.
  source_dest_check = !var.pods_bare

  # A hop limit of 1 keeps pods, which are a hop away, from the machine's own credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    encrypted   = true
    volume_type = "gp3"
    volume_size = var.disk_gb
  }

  # "unlimited", the default of t3, may cost more than the machine itself.
  dynamic "credit_specification" {
    for_each = data.aws_ec2_instance_type.node.burstable_performance_supported ? ["standard"] : []
    content {
      cpu_credits = credit_specification.value
    }
  }

  tags = {
    Name = "${var.name}-${each.key}"
    role = each.value.role
  }

  lifecycle {
    # A newer image is for new machines; it does not replace those that run.
    ignore_changes = [ami]
  }

  # Without the way out, a machine begins life without its package lists.
  depends_on = [aws_route.way_out, aws_route_table_association.nodes]
}
