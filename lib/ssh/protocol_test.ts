// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, type Command, show, withInput } from "../exec/command.ts";
import {
  pasteable,
  readReply,
  remoteLine,
  sshArgs,
  type SshTarget,
  toolArgs,
} from "./protocol.ts";
import { socketFolder, socketName } from "./connection.ts";
import { run } from "../exec/run.ts";

const root: SshTarget = { name: "master", host: "10.0.1.10", user: "root" };
const mark = "0b0e7a52-0001-4000-8000-000000000000";

Deno.test("sshArgs() names the machine, and nothing that is not set", () => {
  assertEquals(sshArgs({ name: "a", host: "bastion" }), ["bastion"]);
  assertEquals(
    sshArgs({ ...root, port: 2222, identityFile: "/k/100%" }),
    [
      ...["-p", "2222", "-i", "/k/100%%", "-o", "IdentitiesOnly=yes"],
      "root@10.0.1.10",
    ],
  );
});

Deno.test("host keys are checked: pinned at first contact for a machine of this tool's making, else as the user has it", () => {
  const usual = toolArgs(root, "/s").join("\n");
  assertEquals(/HostKey|KnownHosts/i.test(usual), false);
  const fresh = toolArgs({ ...root, pinnedKeys: "/state dir/keys" }, "/s");
  assertStringIncludes(
    fresh.join("\n"),
    '-o\nUserKnownHostsFile="/state dir/keys"\n-o\nStrictHostKeyChecking=accept-new',
  );
  for (const args of [usual, fresh.join("\n")]) {
    assertStringIncludes(args, "BatchMode=yes");
    assertEquals(/StrictHostKeyChecking=no|dev\/null/.test(args), false);
  }
});

Deno.test("what a person pastes has sudo where ssh does not come in as root", () => {
  assertEquals(
    show(pasteable(root, cmd`sh -eu`)),
    "ssh root@10.0.1.10 'sh -eu'",
  );
  assertEquals(
    show(pasteable({ name: "a", host: "a" }, cmd`echo ${"it's"}`, true)),
    `ssh -t a 'sudo -n echo '\\''it'\\''\\'\\'''\\''s'\\'''`,
  );
});

/** Runs a line as a login shell does, without ssh between. */
async function login(shell: string, command: Command, noise = "") {
  const line = remoteLine(command, mark);
  const outcome = await run({
    argv: [shell, "-c", noise + line],
    ...(command.stdin === undefined ? {} : { stdin: command.stdin }),
  });
  return readReply(outcome, mark);
}

const needsRoot = Deno.uid() === 0 ? "" : " (needs root)";
const rooted = { ignore: Deno.uid() !== 0 };
const awkward = ["it's", "", "a  b", "$HOME `id` \\", '"\n*', "-e", "é!"];

for (const shell of ["dash", "bash"]) {
  Deno.test(
    `every argument arrives as it is by ${shell}${needsRoot}`,
    rooted,
    async () => {
      const script = 'for a in "$@"; do printf "<%s>" "$a"; done';
      const reply = await login(shell, cmd`sh -c ${script} x ${awkward}`);
      assertEquals(
        reply.began && reply.outcome,
        {
          stdout: awkward.map((a) => `<${a}>`).join(""),
          stderr: "",
          code: 0,
        },
      );
    },
  );

  Deno.test(
    `exit codes, 255 among them, and both outputs come back by ${shell}${needsRoot}`,
    rooted,
    async () => {
      const script = "printf out; printf err >&2; exit 255";
      const reply = await login(
        shell,
        cmd`sh -c ${script}`,
        "echo good morning; echo fortune >&2; ",
      );
      assertEquals(reply.began && reply.outcome, {
        stdout: "out",
        stderr: "err",
        code: 255,
      });
    },
  );

  Deno.test(
    `a missing program, a file that is none and a signal are told apart by ${shell}${needsRoot}`,
    rooted,
    async () => {
      const ended = async (command: Command) => {
        const reply = await login(shell, command);
        return reply.began
          ? reply.outcome?.ended ?? reply.outcome?.code
          : reply;
      };
      assertEquals(await ended(cmd`nonesuch-program`), "no such command");
      assertEquals(await ended(cmd`/etc/passwd`), "not executable");
      assertEquals(await ended(cmd`sh -c ${"kill -9 $$"}`), "killed");
      assertEquals(await ended(cmd`sh -c ${"exit 127"}`), 127);
      assertEquals(await ended(cmd`sh -c ${"exit 126"}`), 126);
    },
  );

  Deno.test(
    `input arrives whole by ${shell}, or the command does not begin${needsRoot}`,
    rooted,
    async () => {
      const text = "first\n\n é $x\nno end";
      const reply = await login(shell, withInput(cmd`cat`, text));
      assertEquals(reply.began && reply.outcome?.stdout, text);
      const line = remoteLine(withInput(cmd`touch /nowhere/x`, text), mark);
      const cut = await run({
        argv: [shell, "-c", line],
        stdin: text.slice(0, 8),
      });
      assertEquals(readReply(cut, mark).began, false);
    },
  );
}

Deno.test("a reply without its end is not taken for one", () => {
  const begun = { stdout: `${mark}\nhalf`, stderr: `hi\n${mark}\nwarn\n` };
  assertEquals(readReply(begun, mark), {
    began: true,
    stdout: "half",
    stderr: "warn\n",
  });
  const nothing = { stdout: "", stderr: "Permission denied" };
  assertEquals(readReply(nothing, mark), {
    began: false,
    said: "Permission denied",
  });
});

Deno.test("control sockets lie where their path is short enough, one for each way to a machine", async () => {
  const state = "/home/ann/deno-cni/.state/lab";
  assertEquals(
    socketFolder(state, "/run/user/1000", 1000),
    "/run/user/1000/deno-cni",
  );
  assertEquals(socketFolder(state, undefined, 1000), `${state}/ssh`);
  assertEquals(
    socketFolder(`/${"x".repeat(80)}`, undefined, 1000),
    "/tmp/deno-cni-1000",
  );
  const names = await Promise.all([
    socketName(state, root),
    socketName(state, { ...root, port: 2 }),
    socketName("/other", root),
    socketName(state, { user: "root", host: "10.0.1.10", name: "master" }),
  ]);
  assertEquals(new Set(names).size, 3);
  assertEquals(names[0], names[3]);
});
