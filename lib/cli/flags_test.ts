// @ts-types="../std/assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { type Flags, parseFlags } from "./flags.ts";
import { UsageError } from "./usage_error.ts";

function flags(...args: string[]): Flags {
  const parsed = parseFlags(args);
  if (parsed === "help") throw new Error("expected flags");
  return parsed;
}

function refuse(message: string, ...args: string[]): void {
  assertThrows(() => parseFlags(args), UsageError, message);
}

Deno.test("without flags the lab is meant, all of it, for real", () => {
  assertEquals(flags(), {
    cluster: "config/lab.yaml",
    nodes: [],
    dryRun: false,
    noProbes: false,
    step: false,
    undo: false,
    yes: false,
    output: "table",
    verbose: false,
    words: [],
    quiet: false,
    timeout_ms: 30_000,
    form: undefined,
  });
});

Deno.test("--node may be given several times, joined or apart", () => {
  assertEquals(flags("--node", "a", "--node=b").nodes, ["a", "b"]);
});

Deno.test("short flags mean what the long ones do", () => {
  const { yes, output, verbose } = flags("-y", "-o", "json", "-v");
  assertEquals([yes, output, verbose], [true, "json", true]);
});

Deno.test("a flag beats the environment, which beats the default", () => {
  const environment = { DENO_CNI_CLUSTER: "e.yaml", DENO_CNI_TIMEOUT: "5" };
  const parsed = parseFlags(["--timeout", "7"], environment);
  if (parsed === "help") throw new Error("expected flags");
  assertEquals([parsed.cluster, parsed.timeout_ms], ["e.yaml", 7_000]);
});

Deno.test("help is asked for with --help or -h, whatever else stands there", () => {
  assertEquals(parseFlags(["-h"]), "help");
  assertEquals(parseFlags(["--nonsense", "--help"]), "help");
});

Deno.test("an unknown flag or a stray word is named", () => {
  refuse("--dryrun: no such flag", "--dryrun");
  refuse("worker-1: no such flag", "worker-1");
});

Deno.test("a value that makes no sense is named, with what was expected", () => {
  refuse("--output yaml: expected table or json", "-o", "yaml");
  refuse("--timeout soon: expected a number of seconds", "--timeout", "soon");
  refuse("--timeout 0: expected a number", "--timeout", "0");
  refuse("--cluster wants a value", "--cluster");
  refuse("--cluster was given twice", "--cluster", "a", "--cluster", "b");
  refuse("--node wants the name", "--node");
});

Deno.test("flags that contradict each other are refused", () => {
  refuse("exclude each other", "--portable", "--compiled");
  refuse("exclude each other", "-v", "-q");
  refuse("exclude each other", "--dry-run", "--step");
  refuse("goes with --dry-run", "--no-probes");
});

Deno.test("a port is a number that a port can have", () => {
  assertEquals(flags("--port", "0").port, 0);
  assertEquals(flags("--port=8090").port, 8090);
  for (const port of ["http", "65536", "-1", "1.5"]) {
    refuse(
      `--port ${port}: expected a number from 0 to 65535`,
      `--port=${port}`,
    );
  }
});

Deno.test("stdout is a place for a picture", () => {
  assertEquals(flags("--out", "-").out, "-");
  assertEquals(flags("--out", "a.svg", "-q").out, "a.svg");
  refuse("-: no such flag", "-");
});

Deno.test("a path has two ends and a family", () => {
  const { from, to, family } = flags(
    ...["--from", "worker-1/shell", "--to", "outside", "--family", "6"],
  );
  assertEquals([from, to, family], ["worker-1/shell", "outside", 6]);
  refuse("--family 5: expected 4 or 6", "--family", "5");
});
