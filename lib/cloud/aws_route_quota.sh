#!/bin/sh
# How many routes a route table may hold, in the first line, and then the table:
#
#   aws_route_quota.sh REGION TABLE QUOTA-CODE
set -eu

aws service-quotas get-service-quota --region "$1" --service-code vpc --quota-code "$3" \
  --query Quota.Value --output text
exec aws ec2 describe-route-tables --region "$1" --route-table-ids "$2" --output json
