// @ts-types="../std/assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { cmd, type Command, paste, show, withInput } from "./command.ts";
import { run } from "./run.ts";

Deno.test("cmd splits its template at white space, never an interpolated value", () => {
  const name = "a b; rm -rf /";
  assertEquals(cmd`ip link  add ${name}\n type bridge`.argv, [
    "ip",
    "link",
    "add",
    name,
    "type",
    "bridge",
  ]);
});

Deno.test("cmd glues a value to the text that touches it", () => {
  assertEquals(cmd`sysctl -w ${"net.x"}=${1}`.argv, [
    "sysctl",
    "-w",
    "net.x=1",
  ]);
});

Deno.test("cmd keeps an empty value as an argument", () => {
  assertEquals(cmd`echo ${""} x`.argv, ["echo", "", "x"]);
});

Deno.test("cmd makes a list as many arguments as it has, none for none", () => {
  assertEquals(cmd`a ${["b c", 1]} d ${[]}`.argv, ["a", "b c", "1", "d"]);
});

Deno.test("cmd refuses a list glued to text", () => {
  assertThrows(() => cmd`a -x${["b"]}`, TypeError, "white space");
  assertThrows(() => cmd`a ${["b"]}x`, TypeError, "white space");
});

Deno.test("cmd refuses an empty template", () => {
  assertThrows(() => cmd` `, TypeError, "needs a program");
});

Deno.test("show() quotes so that a POSIX shell reads the very arguments back", async () => {
  const values = [
    "plain",
    "",
    "two words",
    "quo'te",
    '"',
    "$HOME `id` \\",
    "a\nb",
    "*",
    "!",
    "~",
    "ü",
    "-n",
  ];
  for (const shell of ["dash", "bash"]) {
    const print = cmd`printf ${"%s\\0"} ${values}`;
    const { stdout } = await run({ argv: [shell, "-c", show(print)] });
    assertEquals(stdout.split("\0").slice(0, -1), values);
  }
});

Deno.test("paste() gives a here-document whose mark the text does not hold", async () => {
  const text = "END\n$HOME\n";
  const pasted = paste(withInput(cmd`cat`, text));
  const { stdout } = await run({ argv: ["sh", "-c", pasted] });
  assertEquals(stdout, text);
});

Deno.test("run() gives exit code and both outputs", async () => {
  const outcome = await run(cmd`sh -c ${"echo out; echo err >&2; exit 3"}`);
  assertEquals(outcome, { code: 3, stdout: "out\n", stderr: "err\n" });
});

Deno.test("run() says when there is no such command", async () => {
  const { code, ended } = await run(cmd`no-such-program-anywhere`);
  assertEquals([code, ended], [undefined, "no such command"]);
});

Deno.test("run() tells a file that cannot be executed from a command that says 126 or 127", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/text`, "", { mode: 0o644 });
  const { code, ended } = await run({ argv: [`${folder}/text`] });
  await Deno.remove(folder, { recursive: true });
  assertEquals([code, ended], [undefined, "not executable"]);
  for (const code of [126, 127]) {
    const said = await run(cmd`sh -c ${`echo setsid: no >&2; exit ${code}`}`);
    assertEquals([said.code, said.ended], [code, undefined]);
  }
});

Deno.test("run() gives a command its own process group, which a signal for this one does not reach", async () => {
  const ask = cmd`sh -c ${"ps -o pgid=,pid= -p $$"}`;
  const [group, pid] = (await run(ask)).stdout.trim().split(/ +/);
  assertEquals(group, pid);
});

Deno.test("run() ends a command that ran into its time limit, with all that it started", async () => {
  const folder = await Deno.makeTempDir();
  const script = 'sleep 61 & echo $! >"$1/pid"; wait';
  const { ended } = await run(cmd`sh -c ${script} x ${folder}`, {
    timeout_ms: 300,
  });
  assertEquals(ended, "timed out");
  const pid = (await Deno.readTextFile(`${folder}/pid`)).trim();
  const gone = await run(
    cmd`sh -c ${"for i in 1 2 3 4 5 6 7 8 9; do grep -qs '^State:.[^Z]' /proc/$1/status || exit 0; sleep 0.1; done; exit 1"} x ${pid}`,
  );
  assertEquals(gone.code, 0);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("run() ends a command when it is interrupted", async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 100);
  const { ended } = await run(cmd`sleep 60`, { signal: abort.signal });
  assertEquals(ended, "interrupted");
  const after = await run(cmd`true`, { signal: abort.signal });
  assertEquals(after.ended, "interrupted");
});

Deno.test("run() gives a command its input, and bears one that does not read it", async () => {
  const input = "x".repeat(1 << 20);
  const read: Command = withInput(cmd`cat`, input);
  assertEquals((await run(read)).stdout.length, input.length);
  assertEquals((await run(withInput(cmd`true`, input))).code, 0);
});

Deno.test("run() passes nothing of this process's environment on when it is given one", async () => {
  const { stdout } = await run(cmd`/usr/bin/env`, { env: { A: "1" } });
  assertEquals(stdout, "A=1\n");
});
