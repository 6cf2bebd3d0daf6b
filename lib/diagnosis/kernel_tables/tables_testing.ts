/** How full the tables of a kernel were (Linux 6.18), as the question for them brought it. */

/** As recorded; each text in place of another, and with this before each part. */
export function recordedTables(
  { boundary = "XX", instead = [] }: {
    readonly boundary?: string;
    readonly instead?: readonly (readonly [RegExp | string, string])[];
  } = {},
): string {
  return instead.reduce(
    (text, [from, to]) => text.replace(from, to),
    recorded,
  ).replaceAll("\nXX ", `\n${boundary} `);
}

const recorded = `
XX neighbours
inet arp_cache 
    thresh1 128 thresh2 512 thresh3 1024 gc_int 30000 
    config key_len 4 entry_size 336 entries 73 
        last_flush 2026-11-27 03:03:34 last_rand 2026-11-27 08:02:09 
        hash_rnd 4209213183 hash_mask 000007ff hash_chain_gc 0 proxy_qlen 0 
    refcnt 1 reachable 28512 base_reachable 30000 retrans 1000 
    gc_stale 60000 delay_probe 5000 queue 101 
    app_probes 0 ucast_probes 3 mcast_probes 3 
    anycast_delay 1000 proxy_delay 800 proxy_queue 64 locktime 1000 
    stats allocs 43580 destroys 43507 hash_grows 8 
    res_failed 583 lookups 1264926 hits 129278 
    rcv_probes_mcast 0 rcv_probes_ucast 0 
    periodic_gc_runs 2207 forced_gc_runs 4216 
    table_fulls 4156 
--
inet6 ndisc_cache 
    thresh1 128 thresh2 512 thresh3 1024 gc_int 30000 
    config key_len 16 entry_size 344 entries 23 
        last_flush 2026-11-27 07:56:32 last_rand 2026-11-27 08:03:07 
        hash_rnd 2113675779 hash_mask 000007ff hash_chain_gc 0 proxy_qlen 0 
    refcnt 1 reachable 44056 base_reachable 30000 retrans 1000 
    gc_stale 60000 delay_probe 5000 queue 101 
    app_probes 0 ucast_probes 3 mcast_probes 3 
    anycast_delay 1000 proxy_delay 800 proxy_queue 64 locktime 0 
    stats allocs 361230 destroys 361207 hash_grows 8 
    res_failed 69 lookups 645511 hits 12649 
    rcv_probes_mcast 2867 rcv_probes_ucast 602 
    periodic_gc_runs 2207 forced_gc_runs 65 
    table_fulls 0 

XX values
/proc/sys/net/netfilter/nf_conntrack_count:0
/proc/sys/net/netfilter/nf_conntrack_max:262144
/proc/sys/net/netfilter/nf_conntrack_expect_max:4096
/proc/sys/fs/file-nr:2219	0	9223372036854775807
/proc/loadavg:11.33 13.08 15.88 11/515 8359
/proc/sys/kernel/pid_max:32768
/proc/sys/kernel/threads-max:192731
/proc/sys/fs/inotify/max_user_instances:128
/proc/sys/fs/inotify/max_user_watches:192536
/proc/sys/net/ipv4/ip_local_port_range:32768	60999
/proc/sys/net/ipv4/ipfrag_high_thresh:4194304
/proc/sys/net/ipv6/ip6frag_high_thresh:4194304
/proc/sys/net/ipv6/route/max_size:2147483647
/proc/net/rt6_stats:0009 0006 002d 0007 0000 0000 0000

XX expected
0

XX tracked
entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart
00000000  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000
00000000  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000

XX sockets
sockets: used 49
TCP: inuse 2 orphan 0 tw 9 alloc 237 mem 0
UDP: inuse 0 mem 0
UDPLITE: inuse 0
RAW: inuse 0
FRAG: inuse 0 memory 0
TCP6: inuse 0
UDP6: inuse 0
UDPLITE6: inuse 0
RAW6: inuse 0
FRAG6: inuse 0 memory 0

XX ports
cni0 3

XX bridges

XX watchers
0 /proc/12325/fd/6
0 /proc/15484/fd/12
0 /proc/15484/fd/16
0 /proc/15484/fd/21
0 /proc/15484/fd/26
0 /proc/15484/fd/28

XX watches
/proc/12325/fdinfo/6:1
/proc/15484/fdinfo/12:1
/proc/15484/fdinfo/16:1
/proc/15484/fdinfo/21:0
/proc/15484/fdinfo/26:84
/proc/15484/fdinfo/28:1

XX cgroups
/sys/fs/cgroup/pids/init.scope/pids.max:28909
/sys/fs/cgroup/pids/system.slice/systemd-journald.service/pids.max:28909
/sys/fs/cgroup/pids/lab/kubepods/pids.max:4194304
/sys/fs/cgroup/pids/init.scope/pids.current:0
/sys/fs/cgroup/pids/init.scope/pids.events:max 0
/sys/fs/cgroup/pids/system.slice/systemd-journald.service/pids.current:0
/sys/fs/cgroup/pids/system.slice/systemd-journald.service/pids.events:max 0
/sys/fs/cgroup/pids/lab/kubepods/pids.current:45
/sys/fs/cgroup/pids/lab/kubepods/pids.events:max 0

XX end
`;
