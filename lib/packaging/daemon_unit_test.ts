// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { daemonUnit, daemonUnitText } from "./daemon_unit.ts";
import { cmd } from "../exec/command.ts";
import { run } from "../exec/run.ts";

Deno.test("the daemon's unit starts what stage 05 installs, and stops it without failing a call", () => {
  const text = daemonUnitText();
  assertMatch(text, /^ExecStart=\/opt\/cni\/bin\/deno-cni daemon$/m);
  assertMatch(
    text,
    /^ExecStop=\/opt\/cni\/bin\/deno-cni daemon stop \$MAINPID$/m,
  );
  assertMatch(text, /^Restart=always$/m);
  assertMatch(text, /^MemoryMax=/m);
});

Deno.test("nothing in the daemon's unit gives it a mount namespace of its own", () => {
  // systemd.exec(5): each of these sets one up.
  const keys = [
    "(Private(Tmp|Devices|Mounts|IPC|Users))",
    "Protect(System|Home|Proc|KernelTunables|KernelModules|KernelLogs|ControlGroups)",
    "ProcSubset",
    "(ReadOnly|ReadWrite|Inaccessible|Exec|NoExec|Bind|BindReadOnly)Paths",
    "Root(Directory|Image)",
    "MountFlags",
    "DynamicUser",
    "TemporaryFileSystem",
    "PrivateNetwork",
  ];
  const found = daemonUnitText().match(
    new RegExp(`^(${keys.join("|")})=.*$`, "m"),
  );
  assertEquals(found, null);
});

Deno.test("systemd itself understands the daemon's unit and finds little exposed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/${daemonUnit.name}`;
    await Deno.writeTextFile(file, daemonUnitText());
    const outcome = await run(
      cmd`systemd-analyze security --offline=true --no-pager ${file}`,
    );
    // A machine without systemd has nothing to say about it.
    if (outcome.ended === "no such command") return;
    assertEquals([outcome.code, outcome.stderr], [0, ""], outcome.stdout);
    const [, exposure] = /Overall exposure level for .*: ([\d.]+)/.exec(
      outcome.stdout,
    )!;
    assert(Number(exposure) < 6, outcome.stdout);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
