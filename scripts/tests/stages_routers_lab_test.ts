/** Stage 06 on a node that has its IPv6 default route from a router of the network. */
// @ts-types="../../lib/std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { findingsOn } from "./doctor_testing.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { done } from "./stages_testing.ts";
import { follow } from "./verify_testing.ts";

const noPython = await run(cmd`python3 --version`)
  .then(({ code }) => code !== 0, () => true);

/** To one node alone: ICMPv6 type 134, router lifetime 1800 s; the kernel adds the checksum. */
const advertise = `
import socket, struct, subprocess, sys
out = subprocess.check_output(["ip", "-6", "-o", "addr", "show", "to", "fd00:10:0:1::1"])
link = socket.if_nametoindex(out.split()[1].decode())
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0), (sys.argv[1], 0, 0, link))`;

const kept = "/etc/sysctl.d/90-deno-cni-routers.conf";

/** The router makes itself known to worker-1, which may heed it. */
async function advertised(lab: TestLab): Promise<string> {
  const text = await lab.on(
    "worker-1",
    cmd`ip -6 -o addr show dev eth0 scope link`,
  );
  const [, address = ""] = /inet6 ([^/]+)/.exec(text) ?? [];
  // Until the address is known to be nobody else's (DAD), nothing is taken by it.
  for (let left = 20;; left--) {
    await lab.on("outside", cmd`python3 -c ${advertise} ${address}`);
    await lab.on("worker-1", cmd`sleep 0.1`);
    const route = await defaultRoute(lab);
    if (route !== "" || left === 0) return route;
  }
}

const defaultRoute = (lab: TestLab) =>
  lab.on("worker-1", cmd`ip -6 route show default`);

const doctorSays = (lab: TestLab, check = "default-route") =>
  findingsOn(lab, check);

Deno.test({
  name:
    "a node that has its IPv6 default route by router advertisement keeps it when it forwards (needs root and python3)",
  ignore: Deno.uid() !== 0 || noPython,
  async fn(t) {
    const text = await Deno.readTextFile(`${projectRoot}/config/lab-dual.yaml`);
    await using lab = await testLab(
      "t-routers",
      () => text.replace("name: lab-dual\n", "name: t-routers\n"),
    );
    const only = ["--node", "worker-1"];
    for (const stage of ["01-provision", "02-kubeadm"]) {
      done(await lab.script(stage));
    }
    const sysctl = (name: string) => lab.on("worker-1", cmd`sysctl -n ${name}`);
    const acceptRa = "net.ipv6.conf.eth0.accept_ra";
    const forwarding = "net.ipv6.conf.all.forwarding";
    await lab.on("worker-1", cmd`ip -6 route del default`);
    await lab.on(
      "worker-1",
      cmd`sysctl -qw net.ipv4.conf.all.accept_redirects=0`,
    );
    assertMatch(await advertised(lab), /proto ra/);

    await t.step(
      "where accept_ra cannot be set, it does not forward",
      async () => {
        const path = `/proc/sys/net/ipv6/conf/eth0/accept_ra`;
        await lab.on("worker-1", cmd`mount --bind ${path} ${path}`);
        await lab.on("worker-1", cmd`mount -o remount,bind,ro ${path}`);
        const { code, stdout, stderr } = await lab.script(
          "06-forwarding",
          ...only,
        );
        await lab.on("worker-1", cmd`umount ${path}`);
        assertEquals(code, 1);
        assertStringIncludes(stdout + stderr, `${acceptRa} cannot be set to 2`);
        assertEquals(await sysctl(forwarding), "0\n");
      },
    );
    await t.step("the route stays, and is learnt again", async () => {
      done(await lab.script("06-forwarding", ...only));
      assertEquals(await sysctl(forwarding), "1\n");
      assertMatch(await defaultRoute(lab), /proto ra/);
      await lab.on("worker-1", cmd`ip -6 route del default`);
      assertMatch(await advertised(lab), /proto ra/);
      assertStringIncludes(
        await lab.on("worker-1", cmd`cat ${kept}`),
        "\nnet/ipv6/conf/eth0/accept_ra = 2\n",
      );
      const again = await lab.report("06-forwarding", ...only);
      assertEquals(again.recap["worker-1"]?.changed, 0);
    });
    await t.step("an interface made anew is named, and mended", async () => {
      await lab.on("worker-1", cmd`rm ${kept}`);
      await lab.on("worker-1", cmd`sysctl -qw ${acceptRa}=1`);
      await lab.on("worker-1", cmd`ip -6 route del default`);
      assertEquals(await advertised(lab), "");
      const [finding] = await doctorSays(lab);
      assert(finding !== undefined && "mend" in finding);
      assertStringIncludes(finding.what, "eth0 heeds no router");
      const lines = finding.mend.filter((line) => line.startsWith("make "));
      for (const line of lines) await follow(lab, line);
      assertMatch(await advertised(lab), /proto ra/);
      assertEquals(await doctorSays(lab), []);
    });
    await t.step("all is as it was after --undo", async () => {
      done(await lab.script("06-forwarding", "--undo", ...only));
      assertEquals(await sysctl(forwarding), "0\n");
      assertEquals(await sysctl(acceptRa), "1\n");
      assertEquals(await sysctl("net.ipv4.conf.all.accept_redirects"), "0\n");
      assertMatch(await defaultRoute(lab), /proto ra/);
      assertEquals((await lab.node("worker-1").run(cmd`ls ${kept}`)).code, 2);
    });
    await t.step(
      "IPv6 that is off on the link to the others is named, and put on",
      async () => {
        const off = "net.ipv6.conf.eth0.disable_ipv6";
        await lab.on("worker-1", cmd`sysctl -qw ${off}=1`);
        const [finding] = await doctorSays(lab, "interface-settings");
        assert(finding !== undefined && "mend" in finding);
        assertStringIncludes(finding.what, "IPv6 is disabled on eth0");
        for (const line of finding.mend) await follow(lab, line);
        assertEquals(await sysctl(off), "0\n");
      },
    );
    await t.step("a node without any default route is told of", async () => {
      await lab.on("worker-1", cmd`ip -6 route flush default`);
      await lab.on("worker-1", cmd`ip route del default`);
      const said = (await doctorSays(lab)).map(({ what }) => what);
      assertEquals(said.length, 2, said.join("\n"));
      assertStringIncludes(said.join(), "no IPv4 default route");
    });
  },
});
