/** Pods on a machine that forwards, as every host of Docker does. */
// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { testLab } from "./lab_testing.ts";

/**
 * In the place of a first network namespace that forwards, which is the
 * machine's own: an `ip` on the node whose new namespaces begin so.
 */
const forwardingIp = `real=/run/real-ip file=$(readlink -f "$(command -v ip)")
cp "$file" "$real"
cat >/run/ip <<'END'
#!/bin/sh
/run/real-ip "$@" || exit
[ "$1 $2" = "netns add" ] || exit 0
exec nsenter --net="/run/netns/$3" sysctl -qw net.ipv4.ip_forward=1 \\
  net.ipv6.conf.all.forwarding=1 net.ipv4.conf.default.rp_filter=1 net.ipv4.conf.all.arp_ignore=2
END
chmod 755 /run/ip
mount --bind /run/ip "$file"`;

Deno.test({
  name:
    "a lab's pods begin without forwarding, and with the kernel's own settings (needs root)",
  ignore: Deno.uid() !== 0,
}, async () => {
  await using lab = await testLab("t-settings");
  await lab.script("01-provision");
  await lab.on("worker-1", cmd`sh -euc ${forwardingIp}`);
  const { code, stderr, stdout } = await lab.script("up");
  assertEquals(code, 0, stderr + stdout);
  const ask =
    "sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv4.conf.eth0.rp_filter net.ipv4.conf.all.arp_ignore";
  for (const pod of ["shell", "web"]) {
    const said = await lab.on(
      "worker-1",
      cmd`nsenter --net=/run/netns/${pod} sh -euc ${ask}`,
    );
    assertEquals(said, "0\n0\n0\n0\n", pod);
  }
});
