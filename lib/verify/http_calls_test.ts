// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import type { Outcome } from "../exec/command.ts";
import type { Observed } from "./matrix.ts";
import { readCalls, url } from "./http_calls.ts";

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
