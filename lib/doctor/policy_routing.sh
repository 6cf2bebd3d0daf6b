#!/bin/sh
# FLOW...: the rules of policy routing and, where somebody has added some, how the kernel
# routes such packets; a flow is FAMILY, DESTINATION, SOURCE, LINK, with commas between.
for family in 4 6; do part "rules $family"; ip -j "-$family" rule; done
added=$({ ip rule; ip -6 rule; } 2>/dev/null | grep -Evx \
  '(0:.*from all lookup local|32766:.*from all lookup main|32767:.*from all lookup default) *')
marks=
case $added in
"") set -- ;;
*fwmark*) marks=$(printf '%s\n' "$added" | sed -n 's/.*fwmark \([^ /]*\).*/\1/p' | sort -u) ;;
esac
for flow; do
  IFS=, read -r family destination source link <<END
$flow
END
  part "main $flow"; ip -j "-$family" route show match "$destination"
  for mark in 0 $marks; do
    part "route $flow,$((mark))"
    ip -j route get fibmatch "$destination" from "$source" iif "$link" mark "$mark" 2>&1
  done
done
