// @ts-types="../std/assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { type CommandLine, parseFlags } from "./flags.ts";
import { buildFlags, formOf, stageFlags, standard } from "./standard_flags.ts";
import { option, switched } from "./flags.ts";
import { UsageError } from "./usage_error.ts";

const stage = {
  name: "04-bridge",
  summary: "put a bridge on every node",
  flags: { ...stageFlags, ...buildFlags },
};

function flags(...args: string[]) {
  const parsed = parseFlags(stage, args);
  if (typeof parsed === "string") throw new Error("expected flags");
  return parsed.flags;
}

function refuse(message: string, ...args: string[]): void {
  assertThrows(() => parseFlags(stage, args), UsageError, message);
}

/** A command that takes few flags. */
const picture = {
  name: "picture",
  summary: "draw",
  flags: {
    ...standard("cluster", "quiet"),
    out: option({ name: "out", value: "FILE", does: "where to", read: String }),
  },
};

function refusePicture(message: string, ...args: string[]): void {
  assertThrows(() => parseFlags(picture, args), UsageError, message);
}

Deno.test("without flags a stage means the lab, all of it, for real", () => {
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
    quiet: false,
    timeout_ms: 30_000,
    portable: false,
    compiled: false,
  });
});

Deno.test("what is read has the flags that are declared, and no other", () => {
  assertEquals(parseFlags(picture, ["--out", "a.svg"]), {
    flags: { cluster: "config/lab.yaml", quiet: false, out: "a.svg" },
    words: [],
  });
});

Deno.test("a flag that is not declared is refused, with the nearest that is", () => {
  refuse("--dryrun: no such flag; did you mean --dry-run?", "--dryrun");
  refusePicture("--ot: no such flag; did you mean --out?", "--ot=x");
  refusePicture("--undo: no such flag; --help lists them", "--undo");
  refusePicture("-z: no such flag; --help lists them", "-z");
  refusePicture("--node: no such flag; --help lists them", "--node", "a");
  refusePicture("--family: no such flag", "--family", "6", "--undo");
  refusePicture("--undo: no such flag", "--family", "6", "--undo");
});

Deno.test("a flag that other commands have is refused with the reason where there is one", () => {
  const down = {
    ...picture,
    lacks: { flags: ["node"], because: "the whole lab goes" },
  };
  assertThrows(
    () => parseFlags(down, ["--node", "a"]),
    UsageError,
    "--node: no such flag: the whole lab goes",
  );
});

Deno.test("a stray word is refused, also after --", () => {
  refuse("worker-1: expected flags alone", "worker-1");
  refuse("worker-1: expected flags alone", "--", "worker-1");
  refuse("-: expected flags alone", "-");
});

Deno.test("words, or a command after --, are read where they are declared", () => {
  const words = (line: CommandLine, ...args: string[]) => {
    const parsed = parseFlags(line, args);
    return typeof parsed === "string" ? parsed : parsed.words;
  };
  const exercise: CommandLine = { ...picture, takes: "words" };
  assertEquals(words(exercise, "1-hint", "-q", "2"), ["1-hint", "2"]);
  const shell: CommandLine = { ...picture, takes: "command" };
  assertEquals(words(shell, "-q", "--", "ip", "-br", "addr", "--help"), [
    ...["ip", "-br", "addr", "--help"],
  ]);
  assertThrows(
    () => words({ ...shell, name: "shell" }, "ip"),
    UsageError,
    'ip: expected flags alone before "--"; --help lists them\n' +
      'a command goes behind "--"; make takes $ for itself, so write $$: ' +
      `make shell ARGS='-- sh -c '\\''echo $$HOME'\\'''`,
  );
});

Deno.test("--node may be given several times, joined or apart", () => {
  assertEquals(flags("--node", "a", "--node=b").nodes, ["a", "b"]);
});

Deno.test("short flags mean what the long ones do, also in one", () => {
  const { yes, output, verbose } = flags("-yv", "-o", "json");
  assertEquals([yes, output, verbose], [true, "json", true]);
});

Deno.test("a flag beats the environment, which beats the default", () => {
  const environment = { DENO_CNI_CLUSTER: "e.yaml", DENO_CNI_TIMEOUT: "5" };
  const parsed = parseFlags(stage, ["--timeout", "7"], environment);
  if (typeof parsed === "string") throw new Error("expected flags");
  const { cluster, timeout_ms } = parsed.flags;
  assertEquals([cluster, timeout_ms], ["e.yaml", 7_000]);
  assertThrows(
    () => parseFlags(stage, [], { DENO_CNI_OUTPUT: "yaml" }),
    UsageError,
    "$DENO_CNI_OUTPUT yaml: expected table or json",
  );
});

Deno.test("help is asked for with --help or -h, whatever else stands there", () => {
  assertEquals(parseFlags(stage, ["-h"]), "help");
  assertEquals(parseFlags(stage, ["--version"]), "version");
  const shell = { ...picture, takes: "command" } as const;
  const inside = parseFlags(shell, ["--", "ls", "--version"]);
  assertEquals(typeof inside === "string" ? inside : inside.words, [
    "ls",
    "--version",
  ]);
  assertEquals(parseFlags(picture, ["--nonsense", "--help"]), "help");
});

Deno.test("a value that makes no sense is named, with what was expected", () => {
  refuse("--output yaml: expected table or json", "-o", "yaml");
  refuse("--timeout soon: expected a number of seconds", "--timeout", "soon");
  refuse("--timeout 0: expected a number", "--timeout", "0");
  refuse("--cluster wants a value", "--cluster");
  refuse("--cluster wants a value", "--cluster", "--dry-run");
  refuse("--cluster was given twice", "--cluster", "a", "--cluster", "b");
  refuse("--node wants a value: NAME", "--node");
  refuse("--undo takes no value", "--undo=no");
});

Deno.test("flags that contradict each other are refused", () => {
  refuse("--portable and --compiled exclude", "--compiled", "--portable");
  refuse("exclude each other", "-v", "-q");
  refuse("exclude each other", "--dry-run", "--step");
  refuse("--no-probes goes with --dry-run", "--no-probes");
});

Deno.test("a dash alone is a value: stdout", () => {
  const out = (...args: string[]) => {
    const parsed = parseFlags(picture, args);
    return typeof parsed === "string" ? parsed : parsed.flags.out;
  };
  assertEquals(out("--out", "-"), "-");
  assertEquals(out("--out=-", "-q"), "-");
  assertEquals(out(), undefined);
});

Deno.test("the form of the plugin is one of two, or not named", () => {
  assertEquals(formOf(flags("--portable")), "portable");
  assertEquals(formOf(flags("--compiled")), "compiled");
  assertEquals(formOf(flags()), undefined);
});

Deno.test("a flag that needs another names it by its own name", () => {
  const line = {
    ...picture,
    flags: {
      a: switched("a-flag", "does a", { excludes: "b-flag" }),
      b: switched("b-flag", "does b"),
    },
  };
  assertThrows(
    () => parseFlags(line, ["--b-flag", "--a-flag"]),
    UsageError,
    "--a-flag and --b-flag exclude each other; give one",
  );
});
