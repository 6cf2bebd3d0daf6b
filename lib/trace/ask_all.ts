/** Many questions to one machine by one command, so that a far machine is no slower than a near one. */
import {
  cmd,
  type Command,
  type Outcome,
  type RunOptions,
  show,
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

const script = `
boundary=$1
errors=$(mktemp)
while IFS= read -r line; do
  printf '\\n%s begin\\n' "$boundary"
  eval "$line" 2>"$errors" </dev/null
  printf '\\n%s code %s\\n' "$boundary" $?
  cat "$errors"
done
rm -f "$errors"
`;

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
  const stdin = questions.map(({ command, sandbox }) =>
    show(
      sandbox === undefined
        ? command
        : cmd`nsenter --net=${sandbox} ${command.argv}`,
    ) + "\n"
  ).join("");
  const outcome = await runner.run(
    { ...cmd`sh -c ${script} ask ${boundary}`, stdin },
    options,
  );
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
