// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { dropsEvidence, readDrops } from "./drop_reasons.ts";

/** As many lines of /sys/kernel/tracing/trace, as a kernel 6.18 writes them. */
const lines = (reason: string, place: string, times: number, socket = "0") =>
  `     ksoftirqd/1-22      [001] ..s1. 33102.686674: kfree_skb: skbaddr=0000000001ae0770 rx_sk=000000000000000${socket} protocol=2048 location=${place}+0x15b/0x7a0 reason: ${reason}\n`
    .repeat(times);

Deno.test("what the kernel dropped as often as pings were sent is told with its reason", () => {
  const text = lines("NEIGH_FAILED", "neigh_invalidate", 3) +
    lines("NO_SOCKET", "tcp_v4_rcv", 1) +
    lines("TCP_OLD_SEQUENCE", "tcp_validate_incoming", 7, "8") +
    lines("NOT_SPECIFIED", "inet_rtm_getroute", 5);
  const [found, ...others] = dropsEvidence("worker-1", readDrops(text));
  assertEquals(others, []);
  assertEquals(
    found?.printed,
    "NEIGH_FAILED 3 times, in neigh_invalidate: nothing answers for the " +
      "link-layer address",
  );
});

Deno.test("a kernel that does not say why is no evidence", () => {
  assertEquals(dropsEvidence("worker-1", readDrops("")), []);
});
