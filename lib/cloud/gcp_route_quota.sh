#!/bin/sh
# LIMIT,USAGE,OURS of a project's routes; LIMIT and USAGE are empty where it has no such quota:
#
#   gcp_route_quota.sh DESCRIPTION [--project=PROJECT]
set -eu

ours=$1
shift
quotas=$(gcloud compute project-info describe "$@" --flatten="quotas[]" \
  --format="csv[no-heading](quotas.metric,quotas.limit,quotas.usage)" --quiet)
names=$(gcloud compute routes list "$@" --filter="description=\"$ours\"" \
  --format="value(name)" --quiet)
quota=$(echo "$quotas" | sed -n 's/^ROUTES,//p')
echo "${quota:-,},$(echo "$names" | grep -c . || true)"
