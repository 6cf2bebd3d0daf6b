# terraform test: no account, no network; the provider is a mock.

mock_provider "aws" {
  mock_data "aws_ec2_instance_type" {
    defaults = {
      supported_architectures         = ["x86_64"]
      burstable_performance_supported = true
    }
  }
  mock_data "aws_ssm_parameter" {
    defaults = { value = "ami-0123456789abcdef0" }
  }
}

variables {
  name            = "try"
  region          = "eu-central-1"
  public_key_file = "tests/operator.pub"
  ssh_from        = ["198.51.100.7/32"]
  nodes = {
    master   = { role = "control-plane", address = "10.0.1.10" }
    worker-1 = { role = "worker", address = "10.0.1.11" }
  }
}

run "a_vpc_with_one_subnet_and_a_way_out" {
  assert {
    condition     = aws_vpc.cluster.cidr_block == "10.0.0.0/16" && aws_subnet.nodes.cidr_block == "10.0.1.0/24"
    error_message = "Expected 10.0.0.0/16 and in it 10.0.1.0/24."
  }
  assert {
    condition     = aws_route.way_out.destination_cidr_block == "0.0.0.0/0" && aws_route.way_out.gateway_id == aws_internet_gateway.way_out.id
    error_message = "The default route does not lead to the internet gateway."
  }
  assert {
    condition     = aws_route_table_association.nodes.subnet_id == aws_subnet.nodes.id && aws_route_table_association.nodes.route_table_id == aws_route_table.nodes.id
    error_message = "The subnet does not use the route table."
  }
  assert {
    condition     = alltrue([for machine in aws_instance.node : machine.subnet_id == aws_subnet.nodes.id])
    error_message = "A machine is not in the subnet."
  }
}

run "the_cluster_talks_to_itself_nodes_and_pods" {
  assert {
    condition     = aws_vpc_security_group_ingress_rule.nodes.referenced_security_group_id == aws_security_group.nodes.id && aws_vpc_security_group_ingress_rule.nodes.ip_protocol == "-1"
    error_message = "Expected all protocols from the group itself."
  }
  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.pods) == ["10.244.0.0/16"] && alltrue([for rule in aws_vpc_security_group_ingress_rule.pods : rule.ip_protocol == "-1"])
    error_message = "Expected all protocols from the pod network."
  }
  assert {
    condition     = alltrue([for machine in aws_instance.node : machine.vpc_security_group_ids == toset([aws_security_group.nodes.id])])
    error_message = "A machine is not in the group, or in another one too."
  }
}

run "where_tunnels_join_all_nodes_no_address_of_pods_passes" {
  variables {
    pods_bare = false
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.pods) == 0 && alltrue([for machine in aws_instance.node : machine.source_dest_check])
    error_message = "Pods' addresses may pass, though none does."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.nodes.ip_protocol == "-1"
    error_message = "The nodes' tunnels do not pass."
  }
}

run "bgp_is_open_to_the_routers_that_are_named" {
  variables {
    bgp_peers = ["10.0.1.2"]
  }
  assert {
    condition = [
      for rule in aws_vpc_security_group_ingress_rule.bgp : "${rule.ip_protocol} ${rule.from_port}-${rule.to_port} ${rule.cidr_ipv4}"
    ] == ["tcp 179-179 10.0.1.2/32"]
    error_message = "Expected port 179 alone, for the router."
  }
}

run "ssh_is_open_to_the_operator_alone" {
  variables {
    ssh_from = ["198.51.100.7/32", "192.0.2.0/28"]
  }
  assert {
    condition = toset([
      for rule in aws_vpc_security_group_ingress_rule.ssh : "${rule.ip_protocol} ${rule.from_port}-${rule.to_port} ${rule.cidr_ipv4}"
    ]) == toset(["tcp 22-22 198.51.100.7/32", "tcp 22-22 192.0.2.0/28"])
    error_message = "Expected port 22 alone, for each address of the operator's."
  }
}

run "nothing_is_open_to_the_whole_internet" {
  assert {
    condition = !contains(concat(
      [for rule in aws_vpc_security_group_ingress_rule.ssh : rule.cidr_ipv4],
      [for rule in aws_vpc_security_group_ingress_rule.pods : rule.cidr_ipv4],
      [for rule in aws_vpc_security_group_ingress_rule.bgp : rule.cidr_ipv4],
      [coalesce(aws_vpc_security_group_ingress_rule.nodes.cidr_ipv4, "none")],
    ), "0.0.0.0/0")
    error_message = "A rule lets the whole internet in."
  }
}

run "the_ssh_key_is_the_operators" {
  assert {
    condition     = aws_key_pair.operator.public_key == "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAA operator" && alltrue([for machine in aws_instance.node : machine.key_name == "try"])
    error_message = "A machine has another key."
  }
}

# What cannot work is refused before anything is made.

run "the_whole_internet_for_ssh_is_refused" {
  command = plan
  variables {
    ssh_from = ["0.0.0.0/0"]
  }
  expect_failures = [var.ssh_from]
}

run "nobody_for_ssh_is_refused" {
  command = plan
  variables {
    ssh_from = []
  }
  expect_failures = [var.ssh_from]
}

run "a_subnet_outside_the_vpc_is_refused" {
  command = plan
  variables {
    subnet_cidr = "10.1.1.0/24"
    nodes       = { only = { role = "control-plane", address = "10.1.1.10" } }
  }
  expect_failures = [var.subnet_cidr]
}

run "a_subnet_wider_than_the_vpc_is_refused" {
  command = plan
  variables {
    vpc_cidr    = "10.0.1.0/24"
    subnet_cidr = "10.0.0.0/16"
  }
  expect_failures = [var.subnet_cidr]
}

run "a_vpc_wider_than_aws_has_is_refused" {
  command = plan
  variables {
    vpc_cidr = "10.0.0.0/8"
  }
  expect_failures = [var.vpc_cidr]
}

run "an_address_outside_the_subnet_is_refused" {
  command = plan
  variables {
    nodes = { only = { role = "control-plane", address = "10.0.2.10" } }
  }
  expect_failures = [var.nodes]
}

run "an_address_that_aws_keeps_is_refused" {
  command = plan
  variables {
    nodes = { only = { role = "control-plane", address = "10.0.1.3" } }
  }
  expect_failures = [var.nodes]
}

run "the_broadcast_address_is_refused" {
  command = plan
  variables {
    nodes = { only = { role = "control-plane", address = "10.0.1.255" } }
  }
  expect_failures = [var.nodes]
}

run "two_nodes_with_one_address_are_refused" {
  command = plan
  variables {
    nodes = {
      master = { role = "control-plane", address = "10.0.1.10" }
      worker = { role = "worker", address = "10.0.1.10" }
    }
  }
  expect_failures = [var.nodes]
}

run "a_cluster_without_a_control_plane_is_refused" {
  command = plan
  variables {
    nodes = { worker = { role = "worker", address = "10.0.1.10" } }
  }
  expect_failures = [var.nodes]
}

run "a_role_that_there_is_not_is_refused" {
  command = plan
  variables {
    nodes = {
      master = { role = "control-plane", address = "10.0.1.10" }
      other  = { role = "etcd", address = "10.0.1.11" }
    }
  }
  expect_failures = [var.nodes]
}

run "a_file_that_is_no_public_key_is_refused" {
  command = plan
  variables {
    public_key_file = "tests/network.tftest.hcl"
  }
  expect_failures = [var.public_key_file]
}

run "an_image_that_is_no_id_is_refused" {
  command = plan
  variables {
    image = "ubuntu"
  }
  expect_failures = [var.image]
}

run "a_release_that_is_none_is_refused" {
  command = plan
  variables {
    ubuntu = "noble"
  }
  expect_failures = [var.ubuntu]
}

run "a_name_with_a_space_is_refused" {
  command = plan
  variables {
    name = "my cluster"
  }
  expect_failures = [var.name]
}

run "a_disk_too_small_for_ubuntu_is_refused" {
  command = plan
  variables {
    disk_gb = 4
  }
  expect_failures = [var.disk_gb]
}
