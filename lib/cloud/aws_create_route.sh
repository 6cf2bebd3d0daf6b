#!/bin/sh
# Makes a route in AWS, or turns one that leads nowhere any more:
#
#   aws_create_route.sh FLAGS of aws ec2 create-route…
set -u

said=$(aws ec2 create-route "$@" 2>&1) && exit 0
case $said in
*RouteAlreadyExists*) exec aws ec2 replace-route "$@" ;;
esac
echo "$said" >&2
exit 1
