/** What the doctor reads of forwarding, filters and masquerade. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Cluster } from "../cluster/cluster.ts";
import { filter, found, mendOf, nat, nft, one } from "./doctor_testing.ts";

Deno.test("a missing br_netfilter is no matter in a lab, and to be loaded on machines", () => {
  const gone = [{
    code: 255,
    stderr:
      "sysctl: cannot stat /proc/sys/net/bridge/bridge-nf-call-iptables:" +
      " No such file or directory\n",
  }];
  assertEquals(one(found("bridge-nf", gone)).is, "does not apply");
  const real = one(found("bridge-nf", gone, { cluster: { provider: "ssh" } }));
  assertEquals(real.is, "fault");
  assertStringIncludes(mendOf(real)[0] ?? "", "modprobe br_netfilter");
});

Deno.test("a rule ahead of ours is named, and one that may not match is a warning", () => {
  const ahead = (rule: string) =>
    one(found("forward-chain", [{
      stdout: filter.replace("-A FORWARD -d", `${rule}\n-A FORWARD -d`),
    }]));
  const drop = ahead("-A FORWARD -i eth0 -j DROP");
  assertEquals(drop.is, "fault");
  assertStringIncludes(
    mendOf(drop)[0] ?? "",
    "iptables -w -t filter -D FORWARD -i eth0 -j DROP",
  );
  const odd = "-A FORWARD -m limit --limit 3/min -j DROP";
  assertEquals(ahead(odd).is, "warning");
});

Deno.test("a rule about the tunnels' link stops what comes through it, where tunnels lead to a node", () => {
  const rule = "-A FORWARD -i deno.vxlan -o cni0 -j DROP";
  const at = (cluster: Partial<Cluster>) =>
    found("forward-chain", [{
      stdout: filter.replace("-A FORWARD -d", `${rule}\n-A FORWARD -d`),
    }], { cluster });
  const vxlan = { vni: 1, port: 8472, direct: false };
  const { what } = one(at({ routes: "vxlan", vxlan }));
  assertStringIncludes(what, "what pods of other nodes send to its own");
  assertEquals(at({}), []);
});

Deno.test("masquerade is missed where it is gone, and blamed where it meets pods", () => {
  const gone = nat.replace(/^-A.*\n/m, "");
  assertEquals(one(found("masquerade", [{ stdout: gone }])).is, "fault");
  const wide = nat.replace(" ! -d 10.244.0.0/16", "");
  assertStringIncludes(
    one(found("masquerade", [{ stdout: wide }])).what,
    "rewrites what pods send to pods",
  );
});

Deno.test("a chain of nftables that drops is a fault until it accepts both ways", () => {
  const half = one(found("nftables", [{ stdout: nft }]));
  assertEquals(half.is, "fault");
  assertStringIncludes(
    mendOf(half)[1] ?? "",
    "nft insert rule inet fw forward ip daddr 10.244.0.0/16 accept",
  );
  const rule = /, (\{"rule": .*?\{"accept": null\}\]\}\})/.exec(nft)?.[1] ?? "";
  const both = nft.replace(rule, `${rule}, ${rule.replace("saddr", "daddr")}`);
  assertEquals(found("nftables", [{ stdout: both }]), []);
  const soft = nft.replace(`"policy": "drop"`, `"policy": "accept"`);
  assertEquals(one(found("nftables", [{ stdout: soft }])).is, "warning");
  const idle = soft.replace("reject", "counter");
  assertEquals(found("nftables", [{ stdout: idle }]), []);
  assertEquals(
    one(found("nftables", [{ code: 44 }])).is,
    "does not apply",
  );
});

Deno.test("two kinds of iptables are a warning, and a fault where the other drops", () => {
  const rules = "# iptables-legacy\n-P FORWARD ACCEPT\n-A INPUT -j ACCEPT\n";
  const mild = one(found("both-iptables", [{ stdout: rules }]));
  assertEquals(mild.is, "warning");
  const drops = rules.replace("FORWARD ACCEPT", "FORWARD DROP");
  const hard = one(found("both-iptables", [{ stdout: drops }]));
  assertEquals(hard.is, "fault");
  assertStringIncludes(
    mendOf(hard)[0] ?? "",
    "iptables-legacy -w -t filter -P FORWARD ACCEPT",
  );
  const bare = "# iptables-legacy\n-P FORWARD ACCEPT\n";
  assertEquals(found("both-iptables", [{ stdout: bare }]), []);
});

Deno.test("firewalld and ufw that know the pods are no trap", () => {
  const running = "firewalld: running, trusted: \nufw: Status: active\n";
  const names = found("firewall-services", [{ stdout: running }])
    .map(({ what }) => what.split(" ")[0]);
  assertEquals(names, ["firewalld", "ufw"]);
  const known = "firewalld: running, trusted: 10.244.0.0/16\n";
  assertEquals(found("firewall-services", [{ stdout: known }]), []);
  const routed = "ufw: Status: active\n" +
    "ufw: Anywhere                   ALLOW FWD   10.244.0.0/16\n";
  assertEquals(found("firewall-services", [{ stdout: routed }]), []);
});
