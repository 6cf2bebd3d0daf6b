/**
 * Many questions to one machine by one command, so that a far machine is no
 * slower than a near one.
 */
import {
  cmd,
  type Command,
  type Outcome,
  paste,
  type RunOptions,
} from "../exec/command.ts";
import { readList } from "../net/ip_json.ts";
import type { Runner } from "./node.ts";
import { partFunction, splitParts } from "./parts.ts";

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
ended() { part $?; cat "$errors"; }
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
  const asked = questions.map((question) =>
    `part begin\n{ ${lineOf(question)}\n} 2>"$errors" </dev/null; ended\n`
  );
  const script = `${head}${asked.join("")}${tail}`;
  return await run(runner, script, questions, options);
}

const foot = `
wait
for number in $(seq "$count"); do
  part begin
  cat "$folder/$number.out"
  part "$(cat "$folder/$number.code")"
  cat "$folder/$number.err"
done
`;

/**
 * Asks all of these at once, for those that take their time.
 *
 * @throws {UnreachableError}
 */
export async function askTogether(
  runner: Runner,
  questions: readonly Question[],
  options: RunOptions,
): Promise<readonly Asked[]> {
  if (questions.length === 0) return [];
  const asked = questions.map((question, at) =>
    `{ { ${lineOf(question)}\n} </dev/null >"$folder/${at + 1}.out" ` +
    `2>"$folder/${at + 1}.err"; echo $? >"$folder/${at + 1}.code"; } &\n`
  );
  const script = "\nfolder=$(mktemp -d) || exit\n" +
    `trap 'rm -rf "$folder"' EXIT\ncount=${questions.length}\n` +
    asked.join("") + foot;
  return await run(runner, script, questions, options);
}

function lineOf({ command, sandbox }: Question): string {
  return paste(
    sandbox === undefined ? command : {
      ...command,
      argv: ["nsenter", `--net=${sandbox}`, ...command.argv],
    },
  );
}

async function run(
  runner: Runner,
  script: string,
  questions: readonly Question[],
  options: RunOptions,
): Promise<readonly Asked[]> {
  const boundary = crypto.randomUUID();
  const stdin = `boundary=${boundary}\n${partFunction}${script}`;
  const outcome = await runner.run({ ...cmd`sh`, stdin }, options);
  // What a command printed, then its exit code above what it said of errors.
  const parts = splitParts(outcome.stdout, boundary);
  return questions.map(({ where, command }, at) => {
    const [printed, said] = parts.slice(2 * at, 2 * at + 2);
    return {
      where,
      command,
      outcome: printed === undefined || said === undefined ? outcome : {
        code: Number(said.name),
        stdout: printed.text,
        stderr: said.text,
      },
    };
  });
}

/**
 * A machine that gathers what it is asked at one time, and asks it by one
 * command.
 */
export function gathering(runner: Runner): Runner {
  const waiting: {
    readonly question: Question;
    readonly answer: (outcome: Outcome) => void;
    readonly fail: (error: unknown) => void;
  }[] = [];
  const flush = async (options: RunOptions) => {
    const own = waiting.splice(0);
    try {
      const questions = own.map(({ question }) => question);
      const asked = await askAll(runner, questions, options);
      for (const [at, { outcome }] of asked.entries()) own[at]?.answer(outcome);
    } catch (error) {
      for (const { fail } of own) fail(error);
    }
  };
  return {
    name: runner.name,
    enter: (command) => runner.enter(command),
    run: (command, options = {}) =>
      new Promise((answer, fail) => {
        if (waiting.length === 0) queueMicrotask(() => flush(options));
        const question = { where: runner.name, command };
        waiting.push({ question, answer, fail });
      }),
  };
}

/** A question and what came back. */
export interface Asked {
  /** A node's name, or "POD on NODE". */
  readonly where: string;
  readonly command: Command;
  readonly outcome: Outcome;
}

/** The list that an `ip -j` command printed; empty where it printed none. */
export function listed<Element>({ outcome }: Asked): readonly Element[] {
  return readList<Element>(outcome.stdout);
}
