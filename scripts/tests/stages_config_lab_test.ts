/** Stage 03 on the nodes of a real lab: what is in a node's network configuration, and why. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { conflistPath, portmapPath } from "../../lib/cni/conflist.ts";
import { cmd, withInput } from "../../lib/exec/command.ts";
import { write } from "../../lib/exec/shell_file.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import { apply } from "../../lib/stage/engine.ts";
import { undo } from "../../lib/stage/undo.ts";
import { cniConfig } from "../03-cni-config.ts";
import { loadCluster } from "../../lib/cluster/load.ts";
import { run } from "../../lib/exec/run.ts";
import type { TestLab } from "./lab_testing.ts";
import { done, provisioned } from "./stages_testing.ts";

const only = ["--node", "worker-1"];

/** A portmap that knows these versions, as far as it is asked for them. */
function knows(...versions: string[]): string {
  const answer = { cniVersion: versions.at(-1), supportedVersions: versions };
  return `#!/bin/sh\n[ "$CNI_COMMAND" = VERSION ] && echo '${
    JSON.stringify(answer)
  }'\n`;
}

async function typesOn(lab: TestLab): Promise<readonly string[]> {
  const text = await lab.on("worker-1", cmd`cat ${conflistPath}`);
  return JSON.parse(text).plugins.map(({ type }: { type: string }) => type);
}

rooted(
  "a node that has portmap is told to use it, and one that has it no longer, or an old one, is not",
  async () => {
    await using lab = await provisioned("t-portmap");
    const cases = [
      [knows("0.4.0", "1.0.0"), ["deno-cni", "portmap"]],
      [knows("0.3.1", "0.4.0"), ["deno-cni"]],
      [knows("1.0.0", "1.1.0"), ["deno-cni", "portmap"]],
      ["no program\n", ["deno-cni"]],
    ] as const;
    done(await lab.script("03-cni-config"));
    assertEquals(await typesOn(lab), ["deno-cni"]);
    for (const [text, types] of cases) {
      await lab.on("worker-1", write(portmapPath, text, "755"));
      // A dry run says what a run would do, to the letter.
      const { stdout } = await lab.script("03-cni-config", "--dry-run");
      done(await run(withInput(cmd`sh -eu`, stdout), { env: lab.env }));
      assertEquals(await typesOn(lab), types);
      const { recap } = await lab.report("03-cni-config");
      assertEquals(Object.values(recap).map(({ changed }) => changed), [
        ...[0, 0, 0],
      ]);
    }
    await lab.on("worker-1", write(portmapPath, knows("1.0.0"), "755"));
    done(await lab.script("03-cni-config", ...only));
    await lab.on("worker-1", cmd`rm ${portmapPath}`);
    done(await lab.script("03-cni-config", ...only));
    assertEquals(await typesOn(lab), ["deno-cni"]);
  },
);

rooted(
  "what was added to the configuration by hand is refused by name, and stays",
  async () => {
    await using lab = await provisioned("t-added");
    done(await lab.script("03-cni-config"));
    const add =
      `s/"plugins": \\[/"disableCheck": true, "plugins": [/; s/"bridge"/"dataDir": "\\/x", "bridge"/`;
    await lab.on("worker-1", cmd`sed -i ${add} ${conflistPath}`);
    const before = await lab.on("worker-1", cmd`cat ${conflistPath}`);
    const { code, stderr } = await lab.script("03-cni-config");
    assertEquals(code, 1);
    assertStringIncludes(
      stderr,
      'has what this tool did not write: disableCheck (true), plugins[0].dataDir ("/x")',
    );
    assertEquals(await lab.on("worker-1", cmd`cat ${conflistPath}`), before);
    const [, mend = ""] = /(mv \S+ \S+05-own\.conflist)/.exec(stderr) ?? [];
    await lab.on("worker-1", cmd`sh -euc ${mend}`);
    done(await lab.script("03-cni-config"));

    // A value of its own that was edited is named, too.
    await lab.on("worker-1", cmd`sed -i s/true/false/ ${conflistPath}`);
    const edited = await lab.script("03-cni-config");
    assertEquals(edited.code, 1);
    assertStringIncludes(
      edited.stderr,
      "plugins[0].hairpinMode is false, was true",
    );
    await lab.on("worker-1", cmd`rm ${conflistPath}`);
    done(await lab.script("03-cni-config"));
  },
);

rooted(
  "Debian's portmap is linked to where runtimes look on a machine that is no lab's, and the link goes with the stage",
  async () => {
    await using lab = await provisioned("t-debian");
    const debian = "/usr/lib/cni/portmap";
    const prepare = "mkdir -p /run/debian && " +
      "if [ -d /usr/lib/cni ]; then mount --bind /run/debian /usr/lib/cni; fi";
    await lab.on("worker-1", cmd`sh -euc ${prepare}`);
    const there = await lab.node("worker-1").run(cmd`test -d /usr/lib/cni`);
    if (there.code !== 0) return; // Only a bind mount keeps the machine's own folder out of it.
    await lab.on("worker-1", write(debian, knows("1.0.0"), "755"));
    const cluster = await loadCluster(lab.file, {
      stateRoot: lab.env.DENO_CNI_STATE ?? "",
    });
    const node = cluster.nodes.find(({ name }) => name === "worker-1");
    assert(node && cniConfig.steps);
    const steps = cniConfig.steps({
      cluster: { ...cluster, provider: "ssh" },
      node,
    });
    const context = {
      timeout_ms: 30_000,
      signal: new AbortController().signal,
      stopping: () => false,
      tell: () => {},
    };
    const target = lab.node("worker-1");
    for (const status of ["changed", "ok"] as const) {
      const results = await apply(cniConfig.name, target, steps, context);
      assertEquals(results.map((one) => one.status), [status, status]);
    }
    assertEquals(await typesOn(lab), ["deno-cni", "portmap"]);
    await undo(cniConfig.name, target, steps, context);
    const gone = await target.run(cmd`test -e ${portmapPath}`);
    assertEquals(gone.code, 1);
    // One that is there already is left alone, also by undo.
    await lab.on("worker-1", write(portmapPath, knows("1.0.0"), "755"));
    const again = await apply(cniConfig.name, target, steps, context);
    assertEquals(again.map((one) => one.status), ["changed"]);
    await undo(cniConfig.name, target, steps, context);
    await lab.on("worker-1", cmd`test -e ${portmapPath}`);
  },
);

rooted(
  "the leases go with the last of us once no pod is left, and no folder of ours stays",
  async () => {
    await using lab = await provisioned("t-leases");
    const look = "ls -d /run/deno-cni /opt/cni/lib /opt/cni/lib/deno-cni " +
      "/run/deno-cni/networks/deno-cni 2>/dev/null || :";
    const left = () => lab.on("worker-1", cmd`sh -c ${look}`);
    for (const stage of ["03-cni-config", "05-plugin"]) {
      done(await lab.script(stage));
    }
    const make = "mkdir -p /run/deno-cni/networks/deno-cni " +
      "/run/deno-cni/networks/.deno-cni/deno-cni && " +
      "echo x >/run/deno-cni/networks/deno-cni/10.244.1.2 && " +
      "ip link add veth1 type veth peer name p1 && " +
      "ip link set veth1 alias 'deno-cni deno-cni 12 eth0' && " +
      "ip link add veth2 type veth peer name p2 && " +
      "ip link set veth2 alias 'deno-cni other 12 eth0'";
    await lab.on("worker-1", cmd`sh -euc ${make}`);
    done(await lab.script("05-plugin", "--undo"));
    assertStringIncludes(await left(), "/run/deno-cni/networks/deno-cni\n");
    assert(!(await left()).includes("/opt/cni/lib"), await left());
    await lab.on("worker-1", cmd`ip link del veth1`);
    // What was edited in between is ours all the same.
    await lab.on("worker-1", cmd`sed -i s/true/false/ ${conflistPath}`);
    done(await lab.script("03-cni-config", "--undo"));
    assertEquals(await left(), "");
    assertEquals(await lab.on("worker-1", cmd`ls /etc/cni/net.d`), "");

    // Leases of another network are its own.
    await lab.on("worker-1", cmd`mkdir -p /run/deno-cni/networks/other`);
    done(await lab.script("03-cni-config"));
    done(await lab.script("03-cni-config", "--undo"));
    await lab.on("worker-1", cmd`test -d /run/deno-cni/networks/other`);
  },
);
