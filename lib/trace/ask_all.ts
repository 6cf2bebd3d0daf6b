/** Many questions to one machine by one command, so that a far machine is no slower than a near one. */
import {
  cmd,
  type Command,
  type Outcome,
  paste,
  type RunOptions,
} from "../command.ts";
import type { Asked } from "../evidence.ts";
import type { Runner } from "../pods.ts";

/** A question, and whom to call the one that answers it. */
export interface Question {
  /** A node's name, or "POD on NODE". */
  readonly where: string;
  /** What is shown of it. */
  readonly command: Command;
  /** The path of the network namespace to ask it in; none: the machine's own. */
  readonly sandbox?: string;
}

const head = `
errors=$(mktemp) || errors=/dev/null
begin() { printf '\\n%s begin\\n' "$boundary"; }
ended() { printf '\\n%s code %s\\n' "$boundary" $?; cat "$errors"; }
`;

const tail = '[ "$errors" = /dev/null ] || rm -f "$errors"\n';

/**
 * Asks all of these, one after the other. They change nothing.
 *
 * @throws {UnreachableError}
 */
export async function askAll(
  runner: Runner,
  questions: readonly Question[],
  options: RunOptions,
): Promise<readonly Asked[]> {
  if (questions.length === 0) return [];
  const boundary = crypto.randomUUID();
  const asked = questions.map(({ command, sandbox }) => {
    const line = paste(
      sandbox === undefined ? command : {
        ...command,
        argv: ["nsenter", `--net=${sandbox}`, ...command.argv],
      },
    );
    return `begin\n{ ${line}\n} 2>"$errors" </dev/null; ended\n`;
  });
  const stdin = `boundary=${boundary}${head}${asked.join("")}${tail}`;
  const outcome = await runner.run({ ...cmd`sh`, stdin }, options);
  const parts = outcome.stdout.split(`\n${boundary} begin\n`).slice(1);
  return questions.map(({ where, command }, at) => ({
    where,
    command,
    outcome: readPart(parts[at], boundary) ?? outcome,
  }));
}

function readPart(
  part: string | undefined,
  boundary: string,
): Outcome | undefined {
  const [stdout = "", rest] = part?.split(`\n${boundary} code `) ?? [];
  if (rest === undefined) return undefined;
  const end = rest.indexOf("\n");
  return {
    code: Number(rest.slice(0, end)),
    stdout,
    stderr: rest.slice(end + 1),
  };
}
