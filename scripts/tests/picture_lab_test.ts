/** Pictures of a real lab. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import type { Inventory } from "../../lib/inventory/inventory.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import { type TestLab, testLab } from "./lab_testing.ts";

async function picture(lab: TestLab, ...args: string[]) {
  const outcome = await lab.script("picture", ...args);
  assertEquals(outcome.code, 0, outcome.stderr);
  return outcome;
}

rooted(
  "pictures show what stages and pods add, what a hand takes away, and where a packet went",
  async () => {
    await using lab = await testLab("t-picture");
    for (const stage of ["01-provision", "02-kubeadm", "03-cni-config"]) {
      assertEquals((await lab.script(stage)).code, 0);
    }
    const bare = await picture(lab, "--out", "-");
    assertStringIncludes(bare.stdout, "– no bridge");
    assertEquals(bare.stderr, "", "the first has nothing before it");

    assertEquals((await lab.script("up")).code, 0);
    const { stdout: path, stderr } = await picture(lab);
    const svg = await Deno.readTextFile(path.trim());
    assertStringIncludes(path, `${lab.cluster.stateDir}/picture.svg`);
    assertStringIncludes(svg, "cni0 10.244.1.1/24");
    assertStringIncludes(svg, "masquerades what leaves (new)");
    assertStringIncludes(stderr, "pod worker-1/shell is new");

    await lab.on("worker-1", cmd`ip route del 10.244.2.0/24`);
    const traced = await lab.script(
      ...["trace", "--from", "worker-1/shell", "--to", "worker-2/web"] as const,
      ...["-o", "json"],
    );
    assertEquals(traced.code, 1, traced.stderr);
    const file = `${lab.cluster.stateDir}/trace.json`;
    await Deno.writeTextFile(file, traced.stdout);
    const broken = await picture(lab, "--out", "-", "--trace", file);
    assertStringIncludes(broken.stdout, "no route to 10.244.2.0/24");
    assertStringIncludes(broken.stdout, "✗ DROPPED");
    assertStringIncludes(
      broken.stdout,
      "worker-1/shell → worker-2/web: not delivered",
    );

    const mermaid = await picture(lab, "--format", "mermaid", "--out", "-");
    assertStringIncludes(mermaid.stdout, "flowchart TB\n");
    assertStringIncludes(mermaid.stdout, "✗ no route to 10.244.2.0/24");

    const data: Inventory = JSON.parse(
      (await picture(lab, "-o", "json")).stdout,
    );
    const worker = data.nodes.find(({ name }) => name === "worker-2");
    assert(worker?.host.is === "read");
    assertEquals(worker.host.pods.map(({ name }) => name), ["shell", "web"]);
    assertEquals(
      worker.host.leases.map(({ containerID }) => containerID).sort(),
      ["09-verify-shell", "09-verify-web"],
    );
    assert(
      worker.host.pods.every(({ hostLink }) => hostLink?.master === "cni0"),
    );
  },
);

rooted(
  "without a lab its nodes are in the picture as silent, and the exit code is 4",
  async () => {
    await using lab = await testLab("t-picture-none");
    const { code, stdout, stderr } = await lab.script("picture", "--out", "-");
    assertEquals(code, 4, stderr);
    assertStringIncludes(stdout, "✗ does not answer");
    assertStringIncludes(stderr, "does not answer: worker-1: ");
  },
);

rooted(
  "a format and a trace that are none are refused with what was expected",
  async () => {
    await using lab = await testLab("t-picture-wrong");
    const refused = async (message: string, ...args: string[]) => {
      const { code, stderr } = await lab.script("picture", ...args);
      assertEquals(code, 2, stderr);
      assertStringIncludes(stderr, message);
    };
    await refused("--format png: expected svg or mermaid", "--format", "png");
    await refused("it is not there", "--trace", "/nowhere.json");
    await refused("expected a file in a folder", "--out", "/nowhere/x.svg");
    await refused("directory", "--trace", "config");
    await refused("it is other JSON", "--trace", "deno.json");
    await refused("it is no JSON", "--trace", lab.file);
    await refused(
      "--trace is drawn over an SVG",
      ...["--format", "mermaid", "--trace", lab.file],
    );
  },
);
