/** What a reset takes away of a kernel's rules, in a network namespace of the test's own. */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { run } from "../exec/run.ts";

const program = new URL("reset.sh", import.meta.url).pathname;

/** As portmap writes them, in version 1.1. */
const portmap = (network: string, chain: string, port: number) =>
  `iptables -t nat -N ${chain}
iptables -t nat -A ${chain} -p tcp --dport ${port} -j CNI-HOSTPORT-SETMARK
iptables -t nat -A ${chain} -p tcp --dport ${port} -j DNAT --to-destination 10.244.1.6:80
iptables -t nat -A CNI-HOSTPORT-DNAT -p tcp -m comment --comment 'dnat name: "${network}" id: "c1"' \
  -m multiport --dports ${port} -j ${chain}
`;

const begin = `iptables -t nat -N CNI-HOSTPORT-DNAT
iptables -t nat -N CNI-HOSTPORT-SETMARK
iptables -t nat -N CNI-HOSTPORT-MASQ
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
iptables -t nat -A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
iptables -t nat -A POSTROUTING -m comment --comment 'CNI portfwd' -j CNI-HOSTPORT-MASQ
iptables -t nat -A CNI-HOSTPORT-SETMARK -j MARK --set-xmark 0x2000/0x2000
iptables -t nat -A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE
iptables -t nat -N KUBE-SERVICES
iptables -t nat -A PREROUTING -j KUBE-SERVICES
iptables -t mangle -N KUBE-PROXY-CANARY
iptables -P FORWARD DROP
`;

/** What is left once these commands and the reset were run. */
async function after(commands: string): Promise<string> {
  const script = `${commands}
sh ${program} /nowhere/state /nowhere/kubelet /nowhere/conflist /nowhere/loopback
nft list tables; iptables-save -t nat | grep '^-A' || :`;
  const { stdout, stderr } = await run(
    cmd`unshare --net --mount sh -euc ${script}`,
  );
  assertEquals(stderr, "");
  return stdout;
}

Deno.test({
  name:
    "a reset takes kube-proxy's chains, those that portmap left of our pods, and tables that are empty then (needs root)",
  ignore: Deno.uid() !== 0,
  async fn() {
    const own = portmap("deno-cni", "CNI-DN-aa", 8080) +
      portmap("deno-cni", "CNI-DN-ab", 8081);
    // FORWARD is DROP, as it was before.
    assertEquals(await after(begin + own), "table ip filter\n");
    const kept = await after(
      begin + own + portmap("podman", "CNI-DN-bb", 9090),
    );
    assertEquals(kept.match(/CNI-DN-\w+/g)?.includes("CNI-DN-aa"), false);
    assertEquals(kept.match(/-j CNI-DN-bb/g)?.length, 1);
    assertEquals(kept.match(/^-A .* -j CNI-HOSTPORT-\w+$/gm)?.length, 4);
    assertEquals(
      await after("iptables -t nat -A OUTPUT -p udp -j ACCEPT"),
      "table ip nat\n" +
        "-A OUTPUT -p udp -j ACCEPT\n",
    );
  },
});
