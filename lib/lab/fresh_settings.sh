#!/bin/sh
# Gives a new network namespace the values that the kernel itself begins with
# (net/ipv4/devinet.c, net/ipv6/addrconf.c). The kernel copies those of the
# machine's first namespace in their place, and of which families depends on
# net.core.devconf_inherit_init_net. A setting that this kernel does not have
# is left out.
set -eu

give() { # VALUE NAMES…
  value=$1
  shift
  for name in "$@"; do
    [ ! -e "$folder/$name" ] || echo "$value" >"$folder/$name"
  done
}

for which in all default; do
  folder=/proc/sys/net/ipv4/conf/$which
  give 0 forwarding accept_local arp_accept arp_announce arp_filter arp_ignore arp_notify \
    bc_forwarding bootp_relay disable_policy disable_xfrm drop_gratuitous_arp \
    drop_unicast_in_l2_multicast force_igmp_version ignore_routes_with_linkdown log_martians \
    medium_id promote_secondaries proxy_arp proxy_arp_pvlan route_localnet rp_filter \
    src_valid_mark tag
  give 1 accept_redirects arp_evict_nocarrier secure_redirects send_redirects shared_media
  give 10000 igmpv2_unsolicited_report_interval
  give 1000 igmpv3_unsolicited_report_interval
  if [ "$which" = all ]; then give 0 accept_source_route; else give 1 accept_source_route; fi

  folder=/proc/sys/net/ipv6/conf/$which
  give 0 forwarding accept_ra_from_local accept_ra_min_lft accept_ra_rt_info_max_plen \
    accept_ra_rt_info_min_plen accept_source_route accept_untracked_na addr_gen_mode \
    disable_ipv6 disable_policy drop_unicast_in_l2_multicast drop_unsolicited_na \
    force_forwarding force_mld_version force_tllao ignore_routes_with_linkdown ioam6_enabled \
    keep_addr_on_down ndisc_notify ndisc_tclass optimistic_dad proxy_ndp ra_honor_pio_life \
    ra_honor_pio_pflag rpl_seg_enabled seg6_enabled seg6_require_hmac use_oif_addrs_only \
    use_optimistic use_tempaddr
  give 1 accept_ra accept_ra_defrtr accept_ra_min_hop_limit accept_ra_mtu accept_ra_pinfo \
    accept_ra_rtr_pref accept_redirects autoconf dad_transmits enhanced_dad \
    ndisc_evict_nocarrier router_solicitation_delay suppress_frag_ndisc
  give -1 router_solicitations
  give 2 regen_min_advance
  give 3 regen_max_retry
  give 4 router_solicitation_interval
  give 16 max_addresses
  give 60 router_probe_interval
  give 64 hop_limit
  give 600 max_desync_factor
  give 1000 mldv2_unsolicited_report_interval
  give 1024 ra_defrtr_metric
  give 1280 mtu
  give 3600 router_solicitation_max_interval
  give 10000 mldv1_unsolicited_report_interval
  give 65535 ioam6_id
  give 4294967295 ioam6_id_wide
  give 86400 temp_prefered_lft
  give 604800 temp_valid_lft
  if [ "$which" = all ]; then give 0 accept_dad; else give 1 accept_dad; fi
done
