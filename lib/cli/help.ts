/** A command's help, made of what it declares. Pure. */
import { columns, wrap } from "../text/wrap.ts";
import { exitCode, usualExits } from "./exit_code.ts";
import { type CommandLine, type Flag, switched } from "./flags.ts";

/** The text of a command's `--help`. */
export function helpText(line: CommandLine): string {
  const { name, summary, text = [], examples = [] } = line;
  const {
    usage = [`scripts/${name}.ts [flags]`, `make ${name} [ARGS="flags"]`],
  } = line;
  return [
    wrap(`scripts/${name}.ts: ${summary}`),
    `Usage: ${usage.join("\n       ")}`,
    ...text.map((part) => part.includes("\n") ? part : wrap(part)),
    ...(examples.length === 0 ? [] : [`Examples:\n${columns(examples)}`]),
    `Flags:\n${flagLines(Object.values(line.flags))}`,
    exitLines(line.exits ?? usualExits),
  ].join("\n\n");
}

function flagLines(flags: readonly Flag<unknown>[]): string {
  const rows = [
    ...flags,
    switched("help", "this text", { letter: "h" }),
    switched("version", "the version of this project"),
  ]
    .map((
      flag,
    ): [string, string] => [sign(flag), `${flag.does}${instead(flag)}`]);
  const width = Math.max(...rows.map(([sign]) => sign.length));
  return rows
    .map(([sign, does]) => wrap(does, `  ${sign.padEnd(width)}  `))
    .join("\n");
}

function sign({ name, letter, value }: Flag<unknown>): string {
  const short = letter === undefined ? "" : `-${letter}, `;
  return `${short}--${name}${value === undefined ? "" : ` ${value}`}`;
}

/** What holds where the flag is not given. */
function instead(flag: Flag<unknown>): string {
  const parts = [
    ...(flag.default === undefined ? [] : [`default ${flag.default}`]),
    ...(flag.variable === undefined ? [] : [`or $${flag.variable}`]),
  ];
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

function exitLines(exits: NonNullable<CommandLine["exits"]>): string {
  const names = Object.keys(exitCode) as (keyof typeof exitCode)[];
  const list = names.flatMap((name) =>
    exits[name] === undefined ? [] : [`${exitCode[name]} ${exits[name]}`]
  );
  // A code stays with its sentence.
  const joined = list.map((one) => one.replace(" ", "\u00a0")).join(", ");
  return wrap(joined, "Exit codes: ").replaceAll("\u00a0", " ");
}
