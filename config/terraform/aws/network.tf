# The network: one subnet, a way out, and who may come in.

resource "aws_vpc" "cluster" {
  cidr_block           = var.vpc_cidr
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

resource "aws_subnet" "nodes" {
  vpc_id     = aws_vpc.cluster.id
  cidr_block = var.subnet_cidr

  tags = { Name = var.name }
}

resource "aws_internet_gateway" "way_out" {
  vpc_id = aws_vpc.cluster.id

  tags = { Name = var.name }
}

# Stage 08 adds the pods' routes to this table. A route here is therefore a
# resource of its own: a "route" block in the table would claim them all, and
# the next apply would take the pods' away.
resource "aws_route_table" "nodes" {
  vpc_id = aws_vpc.cluster.id

  tags = { Name = var.name }
}

resource "aws_route" "way_out" {
  route_table_id         = aws_route_table.nodes.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.way_out.id
}

resource "aws_route_table_association" "nodes" {
  subnet_id      = aws_subnet.nodes.id
  route_table_id = aws_route_table.nodes.id
}

resource "aws_security_group" "nodes" {
  name        = var.name
  description = "Nodes and pods among themselves, and the operator by ssh"
  vpc_id      = aws_vpc.cluster.id

  tags = { Name = var.name }
}

# Also what stage 08 has them send each other: VXLAN in UDP, BGP by TCP 179.
resource "aws_vpc_security_group_ingress_rule" "nodes" {
  security_group_id            = aws_security_group.nodes.id
  description                  = "The nodes among themselves"
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.nodes.id
}

# The rule above knows the addresses of the nodes' interfaces. Pods talk to pods
# without NAT, so their packets bear other ones, where no tunnel is around them.
resource "aws_vpc_security_group_ingress_rule" "pods" {
  for_each = var.pods_bare ? toset(var.cluster_cidrs) : toset([])

  security_group_id = aws_security_group.nodes.id
  description       = "The pods among themselves"
  ip_protocol       = "-1"
  cidr_ipv4         = each.value
}

resource "aws_vpc_security_group_ingress_rule" "bgp" {
  for_each = toset(var.bgp_peers)

  security_group_id = aws_security_group.nodes.id
  description       = "A router that is no node, by BGP"
  ip_protocol       = "tcp"
  from_port         = 179
  to_port           = 179
  cidr_ipv4         = "${each.value}/32"
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each = toset(var.ssh_from)

  security_group_id = aws_security_group.nodes.id
  description       = "The operator, by ssh"
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
  cidr_ipv4         = each.value
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.nodes.id
  description       = "The way out: packages, images"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}
