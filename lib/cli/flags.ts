/**
 * Flags as data: a command takes the flags that it declares, its help is made
 * of the declaration, and what is read has just these flags.
 */
// @ts-types="../std/parse_args.d.ts"
import { parseArgs } from "@std/cli/parse-args";
import { makeLine } from "../cluster/make_line.ts";
import type { exitCode } from "./exit_code.ts";
import { nearest } from "../text/nearest.ts";
import { UsageError } from "./usage_error.ts";

/** A flag that a command may take. */
export interface Flag<T> {
  /** Without its dashes. */
  readonly name: string;
  readonly letter?: string;
  /** What stands for its value in the help; a flag without one is a switch. */
  readonly value?: string;
  /** What it does: its line in the help. */
  readonly does: string;
  /** The environment variable that stands in for it. */
  readonly variable?: string;
  /** What holds where neither the flag nor the variable is given, as a user would write it. */
  readonly default?: string;
  /** It may be given several times. */
  readonly many?: true;
  /** The name of a flag that contradicts it. */
  readonly excludes?: string;
  /** The name of a flag without which it means nothing. */
  readonly needs?: string;
  /** What a value has to be, as the end of "expected …". */
  readonly expected?: string;
  /** What the values mean, none where none was given; undefined where they make no sense. */
  readonly read: (values: readonly string[]) => { readonly is: T } | undefined;
}

/** The flags of a command, by the names that its code has for them. */
export type Declared = Readonly<Record<string, Flag<unknown>>>;

/** What was read of declared flags. */
export type FlagsOf<D extends Declared> = {
  readonly [Name in keyof D]: D[Name] extends Flag<infer T> ? T : never;
};

/** A command of scripts/, as its user sees it. */
export interface CommandLine<D extends Declared = Declared> {
  /** Of the script, and of the target of `make`. */
  readonly name: string;
  /** One sentence: what it is for. */
  readonly summary: string;
  /** The ways to start it, a line each; with flags alone where left out. */
  readonly usage?: readonly string[];
  /** Paragraphs; one of several lines stays as it is. */
  readonly text?: readonly string[];
  readonly examples?: readonly (readonly [line: string, remark: string])[];
  readonly flags: D;
  /** What is read beside flags: words, or a command after `--`. */
  readonly takes?: "words" | "command";
  /** Flags that other commands have, and why this one has not. */
  readonly lacks?: {
    readonly flags: readonly string[];
    readonly because: string;
  };
  /** What its exit codes mean; the usual where left out. */
  readonly exits?: Partial<Record<keyof typeof exitCode, string>>;
}

/** A flag without a value. */
export function switched(
  name: string,
  does: string,
  more: Pick<Flag<boolean>, "letter" | "excludes" | "needs"> = {},
): Flag<boolean> {
  return { name, does, ...more, read: ({ length }) => ({ is: length > 0 }) };
}

/** What makes a flag with a value. */
interface Option<T> extends Omit<Flag<T>, "read"> {
  readonly value: string;
  /** What one value means; undefined where it makes none. */
  readonly read: (value: string) => T | undefined;
}

/** A flag with one value, which the variable DENO_CNI_NAME may give as well. */
export function option<T>(
  of: Option<T> & { readonly default: string },
): Flag<T>;
export function option<T>(of: Option<T>): Flag<T | undefined>;
export function option<T>({ read, ...of }: Option<T>): Flag<T | undefined> {
  return {
    variable: `DENO_CNI_${of.name.toUpperCase()}`,
    ...of,
    read([value]) {
      if (value === undefined) return { is: undefined };
      const is = read(value);
      return is === undefined ? undefined : { is };
    },
  };
}

/** What an option has to be that is one of some words. */
export function choice<T extends string>(...words: readonly T[]): {
  readonly expected: string;
  readonly read: (value: string) => T | undefined;
} {
  return {
    expected: words.join(" or "),
    read: (value) => words.find((word) => word === value),
  };
}

/**
 * Reads a command's flags. A flag beats the environment, which beats the default.
 *
 * @param environment the environment's variables
 * @returns the flags and what stands beside them, or "help" or "version" where
 * that was asked for
 * @throws {UsageError} naming the flag, its value and what was expected
 */
export function parseFlags<D extends Declared>(
  line: CommandLine<D>,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): { flags: FlagsOf<D>; words: readonly string[] } | "help" | "version" {
  const all = Object.entries(line.flags);
  const { given, words, unknown, asked } = readArguments(line, args);
  if (asked !== undefined) return asked;
  const known = all.map(([, { name }]) => name);
  const wrong = unknown.map((arg) => noSuchFlag(arg, known, line));
  if (wrong.length > 0) {
    const hint = line.takes === "command" ? [behindDashes(line.name)] : [];
    throw new UsageError([...wrong, ...hint].join("\n"));
  }
  const isGiven = (name: string) => (given.get(name) ?? []).length > 0;
  for (const [, { name, excludes, needs }] of all) {
    if (!isGiven(name)) continue;
    if (excludes !== undefined && isGiven(excludes)) {
      throw new UsageError(
        `--${name} and --${excludes} exclude each other; give one`,
      );
    }
    if (needs !== undefined && !isGiven(needs)) {
      throw new UsageError(`--${name} goes with --${needs}; give both`);
    }
  }
  const flags = Object.fromEntries(all.map(([key, flag]) => [
    key,
    valueOf(flag, given.get(flag.name) ?? [], environment),
  ]));
  return { flags: flags as FlagsOf<D>, words };
}

/** What the arguments give: each flag's values by its name, words, and what is no flag. */
function readArguments(
  { flags, takes }: CommandLine,
  args: readonly string[],
) {
  const all = Object.values(flags);
  const switches = all.filter(({ value }) => value === undefined);
  const valued = all.filter(({ value }) => value !== undefined);
  const names = (of: typeof all) => of.map(({ name }) => name);
  const unknown = new Set<string>();
  const parsed = parseArgs(withLoneDashes(args, valued), {
    boolean: [...names(switches), "help", "version"],
    string: names(valued),
    collect: names(valued),
    alias: Object.fromEntries([
      ["h", "help"],
      ...all.flatMap(({ letter, name }) => letter ? [[letter, name]] : []),
    ]),
    "--": true,
    unknown(arg, key) {
      if (key === undefined && takes === "words") return true;
      unknown.add(arg);
      return false;
    },
  });
  const behind = parsed["--"] ?? [];
  const words = [...parsed._.map(String), ...behind];
  if (takes === undefined) behind.forEach((word) => unknown.add(word));
  // To the parser, "--undo=no" is as good as "--undo".
  const open = args.slice(0, args.length - behind.length);
  for (const { name } of switches) {
    if (
      parsed.help !== true && open.some((arg) => arg.startsWith(`--${name}=`))
    ) {
      throw new UsageError(`--${name} takes no value`);
    }
  }
  const given = new Map(all.map(({ name, value }) => [
    name,
    value !== undefined
      ? parsed[name] as string[]
      : parsed[name] === true
      ? [""]
      : [],
  ]));
  const asked = (["help", "version"] as const)
    .find((name) => parsed[name] === true);
  return { given, words, unknown: [...unknown], asked };
}

/** The parser takes a lone "-" for no flag's value, while it stands for stdout. */
function withLoneDashes(
  args: readonly string[],
  valued: readonly { readonly name: string }[],
): string[] {
  const takesNext = (arg: string | undefined) =>
    valued.some(({ name }) => arg === `--${name}`);
  return args.flatMap((arg, at) => {
    if (takesNext(arg) && args[at + 1] === "-") return [`${arg}=-`];
    return arg === "-" && takesNext(args[at - 1]) ? [] : [arg];
  });
}

/** How a command is given through make, which reads `$` before any shell does. */
function behindDashes(name: string): string {
  const args = ["--", "sh", "-c", "echo $HOME"];
  const line = makeLine(name, { file: "config/lab.yaml" }, { ARGS: args });
  return `a command goes behind "--"; make takes $ for itself, so write $$: ${line}`;
}

function noSuchFlag(
  arg: string,
  known: readonly string[],
  { lacks, takes }: CommandLine,
): string {
  if (!/^-./.test(arg)) {
    return `${arg}: expected flags alone${
      takes === "command" ? ' before "--"' : ""
    }; --help lists them`;
  }
  const [flag = arg] = arg.split("=");
  const name = flag.replace(/^-+/, "");
  if (lacks?.flags.includes(name)) {
    return `${flag}: no such flag: ${lacks.because}`;
  }
  const close = nearest(name, known);
  return `${flag}: no such flag; ${
    close === undefined ? "--help lists them" : `did you mean --${close}?`
  }`;
}

function valueOf(
  flag: Flag<unknown>,
  given: readonly string[],
  environment: Readonly<Record<string, string>>,
): unknown {
  const { name, value, variable = "", does, many, expected = does } = flag;
  if (given.length > 1 && !many) {
    throw new UsageError(`--${name} was given twice; give it once`);
  }
  if (value !== undefined && given.includes("")) {
    throw new UsageError(`--${name} wants a value: ${value}, ${does}`);
  }
  const instead = given.length > 0 ? undefined : environment[variable];
  const values = given.length > 0
    ? given
    : [instead || flag.default].filter((one) => one !== undefined);
  const read = flag.read(values);
  if (read !== undefined) return read.is;
  throw new UsageError(
    `${instead ? `$${variable}` : `--${name}`} ${values.join(" ")}: ` +
      `expected ${expected}`,
  );
}
