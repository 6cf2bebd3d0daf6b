/** The commands that show a machine or a pod. */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { show } from "../exec/command.ts";
import { clusterOf, inventoryOf } from "../picture/picture_testing.ts";
import { questionsOf } from "./facts.ts";

const cluster = clusterOf(3);
const now = inventoryOf(cluster, 2);

const asked = (node: string, sandbox?: string) =>
  questionsOf(cluster, now, node, sandbox).map(({ command }) => show(command));

Deno.test("a node is asked for its addresses, routes, rules and ports; the host outside has no rules of ours", () => {
  const commands = asked("worker-1");
  assertEquals(commands.slice(0, 6), [
    "ip -br addr",
    "ip -4 route",
    "iptables -S FORWARD",
    "iptables -t nat -S POSTROUTING",
    "ip -br link show master cni0",
    "sysctl net.ipv4.ip_forward",
  ]);
  assertEquals(asked("outside"), ["ip -br addr", "ip -4 route"]);
});

Deno.test("a pod is asked in its own network namespace, whatever its name is", () => {
  const [first] = asked("worker-1", "a b");
  assertEquals(first, "ip -n 'a b' -br addr");
});
