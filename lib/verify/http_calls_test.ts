// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { run } from "../exec/run.ts";
import type { Outcome } from "../exec/command.ts";
import type { Observed } from "./matrix.ts";
import { httpCalls, pageText, readCalls, url } from "./http_calls.ts";

const target = "http://10.244.2.2/source.cgi";

function read(stdout: string, more: Partial<Outcome> = {}): Observed {
  const outcome = { code: 0, stdout, stderr: "", ...more };
  const observed = readCalls(outcome, [target]).get(target);
  if (observed === undefined) throw new Error("nothing for the URL");
  return observed;
}

Deno.test("an answer is the address that the receiver saw, in its own family's form", () => {
  const source = (said: string) => read(`0 ${target} ${said}\n`);
  const yes = (source: string): Observed => ({ answer: "yes", source });
  assertEquals(source("10.244.1.2"), yes("10.244.1.2"));
  assertEquals(source("[::ffff:10.244.1.2]"), yes("10.244.1.2"));
  assertEquals(source("[fd00::2]"), yes("fd00::2"));
});

Deno.test("an answer from something that is not our receiver is no answer", () => {
  assertEquals(read(`0 ${target} <html>Sign in</html>\n`), {
    answer: "no",
    said: 'something else answered: "<html>Sign in</html>"',
  });
});

Deno.test("a call that ran out of time, or was refused, is a no that says so", () => {
  const refused =
    "can't connect to remote host (10.244.2.2): Connection refused";
  assertEquals(read(`124 ${target} \n`), { answer: "no", said: "no answer" });
  assertEquals(read(`143 ${target} \n`), { answer: "no", said: "no answer" });
  assertEquals(read(`1 ${target} wget: ${refused}\n`), {
    answer: "no",
    said: refused,
  });
});

Deno.test("where the caller could not even call, the path was not tried", () => {
  const why =
    "timeout: failed to run command 'busybox': No such file or directory";
  assertEquals(read(`127 ${target} ${why}\n`), { answer: "untried", why });
  const stderr =
    "nsenter: cannot open /run/netns/shell: No such file or directory";
  assertEquals(read("", { code: 1, stderr }), {
    answer: "untried",
    why: stderr,
  });
  assertEquals(read("", { code: undefined, ended: "timed out" }), {
    answer: "untried",
    why: "timed out",
  });
});

Deno.test("url() brackets IPv6, and leaves port 80 out", () => {
  assertEquals(url("10.0.1.10", 18080), "http://10.0.1.10:18080/source.cgi");
  assertEquals(url("fd00::2", 80), "http://[fd00::2]/source.cgi");
});

/** Calls these with a busybox that says for each URL what is given for it. */
async function call(answers: Readonly<Record<string, string>>) {
  const folder = await Deno.makeTempDir();
  const cases = Object.entries(answers).map(([url, does]) =>
    `${url}) ${does} ;;\n`
  );
  const program =
    `#!/bin/sh\n[ "$1" = wget ] || exec "$@"\nshift 2; echo "$*" >>${folder}/log; for url; do case $url in\n` +
    `${cases.join("")}esac || exit; done\n`;
  try {
    await Deno.writeTextFile(`${folder}/busybox`, program, { mode: 0o755 });
    const env = { PATH: `${folder}:${Deno.env.get("PATH")}` };
    const urls = Object.keys(answers);
    const seen = readCalls(await run(httpCalls(urls, 900), { env }), urls);
    const log = await Deno.readTextFile(`${folder}/log`);
    return {
      said: urls.map((url) => {
        const observed = seen.get(url);
        return observed?.answer === "yes" ? observed.source : observed;
      }),
      calls: log.trimEnd().split("\n").sort(),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("one process calls all targets that answer", async () => {
  const { said, calls } = await call({
    a: "echo 10.244.1.2",
    b: "echo [::ffff:10.244.1.3]",
    c: `echo "${pageText}"`,
  });
  assertEquals(said, ["10.244.1.2", "10.244.1.3", pageText]);
  assertEquals(calls, ["a b c"]);
});

Deno.test("a target that is silent, refuses or is something else keeps no other from being called", async () => {
  const silent = await call({
    a: "echo 10.244.1.2",
    b: "exec sleep 9",
    c: "echo 10.244.1.4",
  });
  const no = (said: string) => ({ answer: "no" as const, said });
  assertEquals(silent.said, ["10.244.1.2", no("no answer"), "10.244.1.4"]);
  assertEquals(silent.calls, ["a b c", "b", "b c", "c"]);
  const refused = await call({
    a: "{ echo wget: refused >&2; false; }",
    b: "echo 10.244.1.3",
  });
  assertEquals(refused.said, [no("refused"), "10.244.1.3"]);
  assertEquals(refused.calls, ["a", "a b", "b"]);
  const other = await call({
    a: "echo 10.244.1.2",
    b: "printf '<html>\\n10.244.9.9\\n'",
    c: "echo 10.244.1.4",
  });
  assertEquals(other.said, [
    "10.244.1.2",
    no('something else answered: "<html>"'),
    "10.244.1.4",
  ]);
});

Deno.test("an answer that was cut short is asked for again", async () => {
  const { said, calls } = await call({
    a: "[ ! -e $0.cut ] || { echo 10.244.1.23; continue; }; " +
      ": >$0.cut; printf 10.244.1.2; exec sleep 9",
    b: "echo 10.244.1.3",
  });
  assertEquals(said, ["10.244.1.23", "10.244.1.3"]);
  assertEquals(calls, ["a", "a b", "b"]);
});
