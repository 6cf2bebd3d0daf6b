# Stage 01 writes these from the cluster file. By hand: terraform plan -var-file=FILE

variable "name" {
  description = "The cluster's name; part of every name that is made."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", var.name))
    error_message = "The name ${var.name} is not a-z, 0-9 and \"-\" inside, 63 characters at most."
  }
}

variable "region" {
  description = "The AWS region to make the machines in."
  type        = string
}

variable "nodes" {
  description = "The machines by name: what each is for, and its address in the subnet."
  type = map(object({
    role    = string
    address = string
  }))

  validation {
    condition     = length([for node in var.nodes : node if node.role == "control-plane"]) == 1
    error_message = "Of the nodes, exactly one has the role control-plane."
  }
  validation {
    condition     = alltrue([for node in var.nodes : contains(["control-plane", "worker"], node.role)])
    error_message = "A node's role is control-plane or worker."
  }
  validation {
    condition     = length(distinct([for node in var.nodes : node.address])) == length(var.nodes)
    error_message = "Two nodes have the same address."
  }
  validation {
    # https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html: the first four and the last are AWS's own.
    condition = alltrue([
      for node in var.nodes : can(cidrhost("${node.address}/32", 0)) && try(
        cidrsubnet("${node.address}/${split("/", var.subnet_cidr)[1]}", 0, 0) == var.subnet_cidr &&
        !contains([for at in [0, 1, 2, 3, -1] : cidrhost(var.subnet_cidr, at)], node.address),
        false,
      )
    ])
    error_message = "A node's address is no usable one of the subnet ${var.subnet_cidr}: AWS keeps its first four and its last."
  }
}

variable "vpc_cidr" {
  description = "The addresses of the VPC."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition = can(cidrhost(var.vpc_cidr, 0)) && try(
      tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 28, false
    )
    error_message = "The VPC ${var.vpc_cidr} is not a CIDR from /16 to /28."
  }
}

variable "subnet_cidr" {
  description = "The addresses of the one subnet, the segment that the nodes share."
  type        = string
  default     = "10.0.1.0/24"

  validation {
    condition = can(cidrhost(var.subnet_cidr, 0)) && try(
      tonumber(split("/", var.subnet_cidr)[1]) >= tonumber(split("/", var.vpc_cidr)[1]) &&
      cidrhost("${cidrhost(var.subnet_cidr, 0)}/${split("/", var.vpc_cidr)[1]}", 0) == cidrhost(var.vpc_cidr, 0),
      false,
    )
    error_message = "The subnet ${var.subnet_cidr} does not lie in the VPC ${var.vpc_cidr}."
  }
}

variable "cluster_cidrs" {
  description = "The pod network: packets between pods bear these addresses, not the nodes'."
  type        = list(string)
  default     = ["10.244.0.0/16"]

  validation {
    condition     = length(var.cluster_cidrs) > 0 && alltrue([for cidr in var.cluster_cidrs : can(cidrnetmask(cidr))])
    error_message = "The pod network is one IPv4 CIDR or more."
  }
}

variable "pods_bare" {
  description = "Whether packets between the machines bear pods' addresses; not where tunnels join all of them."
  type        = bool
  default     = true
}

variable "bgp_peers" {
  description = "The addresses of routers that are no nodes and speak BGP with them."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.bgp_peers : can(cidrnetmask("${address}/32"))])
    error_message = "A BGP peer is not an IPv4 address."
  }
}

variable "ssh_from" {
  description = "The operator's own addresses, as CIDRs: ssh is open to them alone."
  type        = list(string)

  validation {
    condition = length(var.ssh_from) > 0 && alltrue([
      for cidr in var.ssh_from : can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) >= 8, false)
    ])
    error_message = "ssh_from is one IPv4 CIDR or more, none wider than /8: the operator's address, not the whole internet's."
  }
}

variable "public_key_file" {
  description = "The .pub file of the ssh key that may log in."
  type        = string

  validation {
    condition     = can(regex("^(ssh-|ecdsa-)[-a-z0-9]+ [A-Za-z0-9+/]+=*( |$)", trimspace(file(var.public_key_file))))
    error_message = "${var.public_key_file} is no public key as ssh-keygen writes it: type, key, comment."
  }
}

variable "instance_type" {
  description = "The machines' type: x86_64 or arm64; kubeadm wants 2 processors and 2 GB."
  type        = string
  default     = "t3.small"
}

variable "ubuntu" {
  description = "The Ubuntu release; its newest image is looked up when a machine is made."
  type        = string
  default     = "24.04"

  validation {
    condition     = can(regex("^[0-9]{2}\\.[0-9]{2}$", var.ubuntu))
    error_message = "The Ubuntu release ${var.ubuntu} is not one like 24.04."
  }
}

variable "image" {
  description = "An image (ami-…) to take instead of Ubuntu's newest."
  type        = string
  default     = null

  validation {
    condition     = var.image == null || can(regex("^ami-[0-9a-f]+$", var.image))
    error_message = "The image is not an id like ami-0123456789abcdef0."
  }
}

variable "disk_gb" {
  description = "The size of each machine's disk."
  type        = number
  default     = 20

  validation {
    condition     = var.disk_gb >= 8 && floor(var.disk_gb) == var.disk_gb
    error_message = "A disk has 8 GB or more, in whole GB."
  }
}
