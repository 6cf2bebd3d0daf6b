/** Stage 04 on the nodes of a real lab: what its bridge takes from pods, and which pods it has. */
// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { done, provisioned, stateOf, statuses } from "./stages_testing.ts";

const settings = [
  "net/ipv6/conf/cni0/accept_ra",
  "net/ipv6/conf/cni0/accept_redirects",
  "net/ipv6/conf/cni0/accept_source_route",
  "net/ipv4/conf/cni0/accept_redirects",
  "net/ipv4/conf/cni0/accept_source_route",
];

async function valuesOf(lab: TestLab): Promise<readonly string[]> {
  const values = await lab.on("worker-1", cmd`sysctl -n ${settings}`);
  return values.trim().split("\n");
}

rooted(
  "the bridge takes no router advertisement, redirect or source route from a pod, and gets back what it had",
  async () => {
    await using lab = await provisioned("t-bridge");
    const only = ["--node", "worker-1"];
    done(await lab.script("04-bridge", ...only));
    assertEquals(await valuesOf(lab), ["0", "0", "0", "0", "0"]);

    // What was changed by hand is drift, and is mended.
    await lab.on("worker-1", cmd`sysctl -w ${settings[0] ?? ""}=1`);
    const again = await lab.report("04-bridge", ...only);
    assertEquals(again.recap["worker-1"]?.changed, 1);
    assertEquals(await valuesOf(lab), ["0", "0", "0", "0", "0"]);

    // A bridge that was there before, and stays: a setting goes back by itself.
    done(await lab.script("04-bridge", "--undo", ...only));
    await lab.on("worker-1", cmd`ip link add cni0 alias deno-cni type bridge`);
    await lab.on("worker-1", cmd`ip link set cni0 alias deno-cni`);
    const before = await valuesOf(lab);
    const journal = await lab.report("04-bridge", ...only);
    assertEquals(journal.recap["worker-1"]?.failed, 0);
    const text = await lab.on("worker-1", cmd`cat /var/lib/deno-cni/journal`);
    assertStringIncludes(
      text,
      `"undo":{"argv":["sysctl","-e","-w","net.ipv6.conf.cni0.accept_ra=${
        before[0]
      }"]}`,
    );
  },
);

rooted(
  "a bridge whose name has a dot, or whose MTU is too small for IPv6, is made like any other",
  async () => {
    await using lab = await testLab(
      "t-dots",
      (text) => text.replace("bridge: cni0", "bridge: br.pods"),
    );
    for (const stage of ["01-provision", "02-kubeadm", "04-bridge"]) {
      done(await lab.script(stage));
    }
    const path = "/proc/sys/net/ipv6/conf/br.pods/accept_ra";
    assertEquals(await lab.on("worker-1", cmd`cat ${path}`), "0\n");
    // The kernel takes IPv6 away from a link that is too small for it.
    await lab.on("worker-1", cmd`ip link set br.pods mtu 1000`);
    const again = await lab.report("04-bridge");
    assertEquals(new Set(statuses(again)), new Set(["ok"]));
  },
);

rooted(
  "where IPv6 is off by default, stage 04 puts it on for a bridge that needs it",
  async () => {
    const text = await Deno.readTextFile(`${projectRoot}/config/lab-dual.yaml`);
    await using lab = await testLab(
      "t-six",
      () => text.replace("name: lab-dual\n", "name: t-six\n"),
    );
    for (const stage of ["01-provision", "02-kubeadm"]) {
      done(await lab.script(stage));
    }
    const off = "net.ipv6.conf.default.disable_ipv6";
    await lab.on("worker-1", cmd`sysctl -w ${off}=1`);
    const only = ["--node", "worker-1"];
    const { stdout } = await lab.script("04-bridge", "--dry-run", ...only);
    assertStringIncludes(stdout, "net.ipv6.conf.cni0.disable_ipv6=0");
    done(await lab.script("04-bridge", ...only));
    assertStringIncludes(
      await lab.on("worker-1", cmd`ip -6 addr show dev cni0`),
      "fd00:10:244:1::1/64",
    );
    // Off once more: the kernel takes the address away with it.
    await lab.on("worker-1", cmd`sysctl -w net.ipv6.conf.cni0.disable_ipv6=1`);
    done(await lab.script("04-bridge", ...only));
    assertStringIncludes(
      await lab.on("worker-1", cmd`ip -6 addr show dev cni0`),
      "fd00:10:244:1::1/64",
    );
  },
);

rooted(
  "pods whose bridge was deleted are plugged in again, and those of other networks are not",
  async () => {
    await using lab = await provisioned("t-plug");
    const only = ["--node", "worker-1"];
    done(await lab.script("04-bridge", ...only));
    const before = await stateOf(lab, "worker-1");
    const veths = [
      ["veth1", "deno-cni deno-cni 1234 eth0"],
      ["veth2", "deno-cni other 1234 eth0"],
      ["veth3", "somebody's own"],
      ["veth4", "somebody's deno-cni deno-cni 1234 eth0"],
      ["veth5", "deno-cni deno-cni 5678 eth0"],
    ] as const;
    for (const [name, alias] of veths) {
      const peer = `p${name}`;
      await lab.on(
        "worker-1",
        cmd`ip link add ${name} type veth peer name ${peer}`,
      );
      await lab.on("worker-1", cmd`ip link set ${name} alias ${alias}`);
    }
    await lab.on("worker-1", cmd`ip link add elsewhere type bridge`);
    await lab.on("worker-1", cmd`ip link set veth5 master elsewhere`);
    await lab.on("worker-1", cmd`ip link set veth1 master cni0`);
    await lab.on("worker-1", cmd`ip link del cni0`);

    const planned = await lab.script("04-bridge", "--dry-run", ...only);
    assertStringIncludes(planned.stdout, "master");
    done(await lab.script("04-bridge", ...only));
    const ports = await lab.on(
      "worker-1",
      cmd`ip -j -d link show master cni0`,
    );
    const found = JSON.parse(ports) as {
      ifname: string;
      linkinfo: { info_slave_data: { hairpin: boolean } };
    }[];
    assertEquals(
      found.map(({ ifname, linkinfo }) => [
        ifname,
        linkinfo.info_slave_data.hairpin,
      ]),
      [["veth1", true]],
    );
    const again = await lab.report("04-bridge", ...only);
    assertEquals(again.recap["worker-1"]?.changed, 0);

    for (const [name] of veths) {
      await lab.on("worker-1", cmd`ip link del ${name}`);
    }
    await lab.on("worker-1", cmd`ip link del elsewhere`);
    assertEquals(await stateOf(lab, "worker-1"), before);
  },
);
