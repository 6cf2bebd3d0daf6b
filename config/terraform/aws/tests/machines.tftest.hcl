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
    worker-2 = { role = "worker", address = "10.0.1.12" }
  }
}

run "a_machine_for_each_node_at_its_own_address" {
  assert {
    condition     = { for name, machine in aws_instance.node : name => machine.private_ip } == { for name, node in var.nodes : name => node.address }
    error_message = "A node has no machine, or one with another address."
  }
  assert {
    condition     = alltrue([for machine in aws_instance.node : machine.instance_type == "t3.small"])
    error_message = "The default type is t3.small."
  }
  assert {
    condition     = alltrue([for name, machine in aws_instance.node : machine.tags["Name"] == "try-${name}"])
    error_message = "A machine's name is the cluster's and the node's."
  }
}

run "machines_forward_what_is_not_for_them" {
  assert {
    condition     = alltrue([for machine in aws_instance.node : machine.source_dest_check == false])
    error_message = "With the source and destination check, AWS drops pods' packets."
  }
}

run "credentials_of_the_machine_want_a_token_and_stay_out_of_pods" {
  assert {
    condition = alltrue([
      for machine in aws_instance.node :
      machine.metadata_options[0].http_tokens == "required" && machine.metadata_options[0].http_put_response_hop_limit == 1
    ])
    error_message = "Expected IMDSv2 alone, with a hop limit of 1."
  }
}

run "disks_are_encrypted" {
  assert {
    condition     = alltrue([for machine in aws_instance.node : machine.root_block_device[0].encrypted && machine.root_block_device[0].volume_size == 20])
    error_message = "Expected encrypted disks of 20 GB."
  }
}

run "burstable_machines_do_not_run_up_a_bill" {
  assert {
    condition     = alltrue([for machine in aws_instance.node : machine.credit_specification[0].cpu_credits == "standard"])
    error_message = "Expected standard credits."
  }
}

run "ubuntus_newest_image_is_looked_up_for_x86_64" {
  assert {
    condition     = data.aws_ssm_parameter.ubuntu[0].name == "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
    error_message = "Looked up ${data.aws_ssm_parameter.ubuntu[0].name}."
  }
  assert {
    condition     = alltrue([for machine in aws_instance.node : machine.ami == "ami-0123456789abcdef0"])
    error_message = "The machines have another image than was looked up."
  }
}

run "an_arm_machine_gets_an_arm_image_and_only_burstable_ones_have_credits" {
  variables {
    instance_type = "c7g.large"
    ubuntu        = "22.04"
  }
  override_data {
    target = data.aws_ec2_instance_type.node
    values = {
      supported_architectures         = ["arm64"]
      burstable_performance_supported = false
    }
  }
  assert {
    condition     = data.aws_ssm_parameter.ubuntu[0].name == "/aws/service/canonical/ubuntu/server/22.04/stable/current/arm64/hvm/ebs-gp2/ami-id"
    error_message = "Looked up ${data.aws_ssm_parameter.ubuntu[0].name}."
  }
  assert {
    condition     = alltrue([for machine in aws_instance.node : length(machine.credit_specification) == 0])
    error_message = "AWS refuses credits for a machine that is not burstable."
  }
}

run "a_newer_image_is_for_new_machines_and_replaces_none" {
  variables {
    image = "ami-0fedcba9876543210"
    nodes = {
      master   = { role = "control-plane", address = "10.0.1.10" }
      worker-1 = { role = "worker", address = "10.0.1.11" }
      worker-3 = { role = "worker", address = "10.0.1.13" }
    }
  }
  assert {
    condition     = length(data.aws_ssm_parameter.ubuntu) == 0
    error_message = "An image is named, and yet one is looked up."
  }
  assert {
    condition     = aws_instance.node["worker-3"].ami == "ami-0fedcba9876543210" && aws_instance.node["worker-1"].ami == "ami-0123456789abcdef0"
    error_message = "Expected the new image on the new machine alone."
  }
}

run "any_number_of_workers" {
  variables {
    nodes = merge(
      { boss = { role = "control-plane", address = "10.0.1.4" } },
      { for at in range(5, 105) : "node-${at}" => { role = "worker", address = "10.0.1.${at}" } },
    )
  }
  assert {
    condition     = length(aws_instance.node) == 101 && aws_instance.node["node-104"].private_ip == "10.0.1.104"
    error_message = "Expected 101 machines."
  }
}

run "a_cluster_of_one" {
  variables {
    nodes = { only = { role = "control-plane", address = "10.0.1.254" } }
  }
  assert {
    condition     = keys(aws_instance.node) == ["only"]
    error_message = "Expected one machine."
  }
}

run "the_outputs_are_what_the_stages_read" {
  assert {
    condition = output.machines == {
      for name, machine in aws_instance.node : name => {
        id             = machine.id
        address        = machine.private_ip
        public_address = machine.public_ip
        interface_id   = machine.primary_network_interface_id
      }
    }
    error_message = "machines: expected id, address, public_address and interface_id of each."
  }
  assert {
    condition     = output.route_table_id == aws_route_table.nodes.id && output.region == "eu-central-1" && output.user == "ubuntu" && output.key_name == "try"
    error_message = "Expected route_table_id, region, user and key_name."
  }
}
