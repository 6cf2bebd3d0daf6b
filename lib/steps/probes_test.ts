// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, type Outcome } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import {
  addressOn,
  linkIs,
  linkMarked,
  linkUp,
  ruleIs,
  sysctlIs,
} from "./probes.ts";
import { copied, fileIs } from "./file_probes.ts";
import type { Answer, Probe } from "../stage/stage.ts";

function out(stdout: string): Outcome {
  return { code: 0, stdout, stderr: "" };
}

function bad(code: number, stderr: string): Outcome {
  return { code, stdout: "", stderr };
}

const noCommand: Outcome = {
  code: undefined,
  stdout: "",
  stderr: "",
  ended: "no such command",
};

const noPermission = bad(4, "Operation not permitted");
const noLink = bad(1, 'Device "cni0" does not exist.');

function is(probe: Probe, outcome: Outcome): Answer["is"] {
  return probe.read(outcome).is;
}

/** What any probe must say when the question itself failed. */
function knowsNothing(probe: Probe): void {
  for (const outcome of [noCommand, noPermission, bad(255, "ssh: lost")]) {
    assertEquals(is(probe, outcome), "unknown");
  }
}

const ourBridge =
  '[{"ifname":"cni0","flags":["BROADCAST","UP"],"ifalias":"deno-cni","linkinfo":{"info_kind":"bridge"}}]';
const barePort =
  '[{"ifname":"cni0","flags":["BROADCAST"],"linkinfo":{"info_kind":"bridge"}}]';
const dockerBridge =
  '[{"ifname":"cni0","flags":[],"ifalias":"docker","linkinfo":{"info_kind":"bridge"}}]';
const vxlan = '[{"ifname":"cni0","flags":[],"linkinfo":{"info_kind":"vxlan"}}]';

Deno.test("linkIs() tells ours, absent, somebody else's and unknown apart", () => {
  const probe = linkIs("cni0", "bridge", ["10.244.0.0/16"]);
  assertEquals(probe.read(out(ourBridge)), { is: "present", ours: true });
  assertEquals(is(probe, noLink), "absent");
  assertEquals(is(probe, out("[{}]")), "absent");
  knowsNothing(probe);
});

Deno.test("linkIs() refuses another kind, another alias, and a bridge without one", () => {
  const probe = linkIs("cni0", "bridge", ["10.244.0.0/16"]);
  for (
    const [text, found, is] of [
      [vxlan, "cni0 is a vxlan, not a bridge", "different"],
      [dockerBridge, 'its alias is "docker"', "different"],
      [barePort, "this tool did not make", "unmarked"],
    ] as const
  ) {
    const answer = probe.read(out(text));
    assertEquals(answer.is, is);
    assertStringIncludes("found" in answer ? answer.found : "", found);
  }
});

Deno.test("linkIs() advises to remove a bridge of pods alone, never what the node may be reached by", () => {
  const probe = linkIs("cni0", "bridge", ["10.244.0.0/16"]);
  const remedyFor = (...locals: string[]) => {
    const addr_info = locals.map((local) => ({ local, scope: "global" }));
    const [link] = JSON.parse(barePort);
    const answer = probe.read(out(JSON.stringify([{ ...link, addr_info }])));
    return "remedy" in answer ? answer.remedy : "";
  };
  assertStringIncludes(remedyFor("10.244.1.1"), "ip link del cni0");
  assertStringIncludes(remedyFor(), "ip link del cni0");
  for (const own of [["10.0.1.11"], ["10.244.1.1", "192.0.2.7"], ["fd00::1"]]) {
    const remedy = remedyFor(...own);
    assertStringIncludes(remedy, "choose another name in the cluster file");
    assert(!remedy.includes("link del"), remedy);
  }
  const other = probe.read(out(vxlan));
  assert("remedy" in other && !other.remedy.includes("link del"));
});

Deno.test("linkMarked() and linkUp() look at the alias and at the flag", () => {
  assertEquals(is(linkMarked("cni0"), out(ourBridge)), "present");
  assertEquals(is(linkMarked("cni0"), out(barePort)), "absent");
  assertEquals(is(linkUp("cni0"), out(ourBridge)), "present");
  assertEquals(is(linkUp("cni0"), out(barePort)), "absent");
  assertEquals(is(linkUp("cni0"), noLink), "absent");
  knowsNothing(linkMarked("cni0"));
  knowsNothing(linkUp("cni0"));
});

function held(...addresses: string[]): Outcome {
  const addr_info = addresses.map((address) => {
    const [local, length] = address.split("/");
    return {
      family: local?.includes(":") ? "inet6" : "inet",
      local,
      prefixlen: Number(length),
      scope: local?.startsWith("fe80") ? "link" : "global",
    };
  });
  return out(JSON.stringify([{ ifname: "cni0", addr_info }]));
}

Deno.test("addressOn() wants this very address, and no other of its family", () => {
  const probe = addressOn("cni0", "10.244.1.1/24");
  assertEquals(is(probe, held("10.244.1.1/24", "fe80::1/64")), "present");
  assertEquals(is(probe, held("fd00::1/64")), "absent");
  assertEquals(is(probe, noLink), "absent");
  for (const other of ["10.244.1.7/24", "10.244.1.1/16", "10.244.1.10/24"]) {
    const answer = probe.read(held(other));
    if (answer.is !== "different") throw new Error(`got ${answer.is}`);
    assertStringIncludes(answer.found, `${other}, not 10.244.1.1/24`);
  }
  knowsNothing(probe);
});

Deno.test("sysctlIs() keeps the value that undo has to put back", () => {
  const probe = sysctlIs("net.ipv4.ip_forward", "1");
  assertEquals(probe.read(out("0\n")), { is: "absent", previous: "0" });
  assertEquals(probe.read(out("1\n")), { is: "present" });
  knowsNothing(probe);
});

Deno.test("sysctlIs() finds nothing to set where the kernel has no such setting", () => {
  const absent = bad(
    255,
    "sysctl: cannot stat /proc/sys/net/bridge/x: No such file or directory",
  );
  assertEquals(is(sysctlIs("net.bridge.x", "1"), absent), "present");
});

Deno.test("ruleIs() takes exit code 1 for 'absent' only when iptables says so", () => {
  const probe = ruleIs(cmd`iptables -C FORWARD -j ACCEPT`);
  const absent =
    "iptables: Bad rule (does a matching rule exist in that chain?).";
  assertEquals(is(probe, out("")), "present");
  assertEquals(is(probe, bad(1, absent)), "absent");
  assertEquals(is(probe, bad(1, "can't initialize iptables table")), "unknown");
  assertEquals(is(probe, bad(2, 'Couldn\'t load match "comment"')), "unknown");
  knowsNothing(probe);
});

Deno.test("fileIs() writes over a file of ours, never over somebody else's", () => {
  const probe = fileIs("/etc/x", "ours: 2\n", (text) => text.includes("ours"));
  assertEquals(is(probe, out("ours: 2\n")), "present");
  assertEquals(is(probe, out("ours: 1\n")), "absent");
  assertEquals(is(probe, out("theirs\n")), "different");
  assertEquals(is(probe, { code: 44, stdout: "", stderr: "" }), "absent");
  knowsNothing(probe);
});

Deno.test("copied() compares rights and size, and the digest where there is one", async () => {
  const plain = { copy: "a", to: "/b", mode: "755", size_bytes: 9 };
  const digested = { ...plain, to: "/b b", sha256: "abc" };
  const files = [digested, plain];
  const [small, large] = files.map((file) => copied(file, files));
  if (small === undefined || large === undefined) throw new Error("two probes");
  assertEquals(small.ask, large.ask);
  const both = "9 755 /b\n9 755 /b b\n";
  assertEquals(is(small, out(`${both}abc  /b b\n`)), "present");
  assertEquals(is(small, out(`${both}abd  /b b\n`)), "absent");
  assertEquals(is(small, out("9 644 /b b\nabc  /b b\n")), "absent");
  assertEquals(is(large, out(both)), "present");
  assertEquals(is(large, out("8 755 /b\n")), "absent");
  assertEquals(is(small, out("9 755 /b\n")), "absent");
  knowsNothing(small);

  const folder = await Deno.makeTempDir();
  try {
    for (const there of [[], ["a"], ["b b"], ["a", "b b"]]) {
      for (const name of there) {
        await Deno.writeTextFile(`${folder}/${name}`, name);
      }
      for (const name of there) await Deno.chmod(`${folder}/${name}`, 0o644);
      const digest = new Uint8Array(
        await crypto.subtle.digest("SHA-256", new TextEncoder().encode("b b")),
      ).toHex();
      const own = [
        { ...plain, to: `${folder}/b b`, size_bytes: 3, sha256: digest },
        { ...plain, to: `${folder}/a`, size_bytes: 1 },
      ].map((file) => ({ ...file, mode: "644" }));
      const found = await Promise.all(own.map(async (file) => {
        const { ask, read } = copied(file, own);
        return read(await run(ask)).is;
      }));
      assertEquals(
        found,
        ["b b", "a"].map((name) => there.includes(name) ? "present" : "absent"),
      );
      for (const name of there) await Deno.remove(`${folder}/${name}`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
