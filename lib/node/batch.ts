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
import { byProgram } from "./by_program.ts";
import type { Runner } from "./node.ts";
import { partFunction, splitParts } from "./parts.ts";
import { withoutShell } from "./without_shell.ts";

/** A question, and whom to call the one that answers it. */
export interface Question {
  /** A node's name, or "POD on NODE". */
  readonly where: string;
  /** What is shown of it. */
  readonly command: Command;
  /** The path of the network namespace to ask it in; none: the machine's own. */
  readonly sandbox?: string;
}

/**
 * A question as a shell asks it: what it printed, then its exit code above what
 * it said of errors. No file holds any of that: however the shell ends, none is
 * left.
 */
function asking(question: Question): string {
  // After exec, the shell in $() becomes the command instead of starting it.
  return "part begin\n{ said=$(exec 2>&1 >&3 3>&- </dev/null\n" +
    `${withoutShell(question) ?? lineOf(question)}\n` +
    ")\n} 3>&1; code=$?; part $code; said\n";
}

const head = `said() { [ -z "$said" ] || printf '%s\\n' "$said"; }\n`;

/** What one shell is given to do: thousands of questions would not be answered in one's time. */
const mostAtOnce = 250;

/**
 * Asks all of these, one after the other. They change nothing, and one that
 * stands there several times, as the same object, is asked once.
 *
 * @throws {UnreachableError}
 */
export async function askAll(
  runner: Runner,
  questions: readonly Question[],
  options: RunOptions,
): Promise<readonly Asked[]> {
  const keys = new Map<Question["sandbox"], Map<Command, number>>();
  const once: Question[] = [];
  const places = questions.map((question) => {
    const { sandbox, command } = question;
    const places = keys.get(sandbox) ?? new Map<Command, number>();
    const place = places.get(command) ?? once.push(question) - 1;
    keys.set(sandbox, places.set(command, place));
    return place;
  });
  const asked = await askEach(runner, once, options);
  return questions.map((question, at) => ({
    ...asked[places[at]!]!,
    where: question.where,
  }));
}

async function askEach(
  runner: Runner,
  questions: readonly Question[],
  options: RunOptions,
): Promise<readonly Asked[]> {
  const all: Asked[] = [];
  while (all.length < questions.length) {
    const some = questions.slice(all.length, all.length + mostAtOnce);
    const script = head + some.map(asking).join("");
    const asked = await run(runner, script, some, options);
    all.push(...asked);
    const last = asked.at(-1)?.outcome;
    // What keeps one shell from its end would keep the next ones, too.
    if (last?.ended !== undefined) {
      const rest = questions.slice(all.length);
      all.push(...rest.map(({ where, command }) => (
        { where, command, outcome: last }
      )));
    }
  }
  return all;
}

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
  // A pipeline begins with all of its commands at once. Each hands on what
  // comes after its own answer.
  const script = questions.toReversed().map((question, at) =>
    `{ answer=$(${asking(question)})\nprintf '%s\\n' "$answer"\n` +
    `${at === 0 ? "" : "cat\n"}}`
  ).join(" |\n");
  return await run(runner, `${head}${script}\n`, questions, options);
}

/**
 * Runs commands, one after the other, up to the first that fails.
 *
 * @returns what came of each that was begun
 * @throws {UnreachableError}
 */
export async function runInTurn(
  runner: Runner,
  commands: readonly Command[],
  options: RunOptions,
): Promise<readonly Outcome[]> {
  const begun: Outcome[] = [];
  while (begun.length < commands.length) {
    const some = commands.slice(begun.length, begun.length + mostAtOnce)
      .map((command): Question => ({ where: runner.name, command }));
    const script = byProgram(some).map(({ batch, questions }) =>
      batch === undefined
        ? questions.map(orStop).join("")
        : batchOf(batch, questions)
    );
    const asked = await run(runner, head + script.join(""), some, options);
    for (const { command, outcome } of asked) {
      begun.push(asIfAlone(command, outcome));
      if (outcome.code !== 0) return begun;
    }
  }
  return begun;
}

function orStop(question: Question): string {
  return `${asking(question)}[ "$code" = 0 ] || exit 0\n`;
}

/**
 * Commands of ip(8) or bridge(8), as many as stand together, by one process. It
 * ends at the first that fails, which is then run by itself for what it says.
 */
function batchOf(batch: string, questions: readonly Question[]): string {
  const lines = questions.map(({ command: { argv } }) =>
    argv.slice(batch.split(" ").length).join(" ")
  );
  const all = `said=$(${batch} -batch - 2>&1 <<'END'\n${
    lines.join("\n")
  }\nEND\n)`;
  const failed = 'case $said in *"Command failed -:"*) ' +
    'done=${said##*"Command failed -:"}; done=$((done - 1)) ;; *) done=0 ;; esac';
  const each = questions.map((question, at) =>
    `if [ "$done" -gt ${at} ]; then part begin; part 0; else\n` +
    `${orStop(question)}fi\n`
  );
  return `if ${all}; then done=${questions.length}; else ${failed}; fi\n` +
    each.join("");
}

/**
 * What came of a command that a shell ran, as if it had been run by itself: the
 * shell has exit codes of its own for one that is not there, cannot be executed,
 * or was killed (POSIX, Shell, 2.8.2).
 */
export function asIfAlone(
  { argv: [program] }: Command,
  outcome: Outcome,
): Outcome {
  const { code, stdout, stderr } = outcome;
  const ended = endedBy(code, program, stderr.trimEnd());
  return ended === undefined
    ? outcome
    : { code: undefined, stdout, stderr, ended };
}

function endedBy(
  code: number | undefined,
  program: string,
  said: string,
): Outcome["ended"] {
  if (code === undefined) return undefined;
  if (code > 128 && code < 160) return "killed";
  const missing = [`${program}: not found`, `${program}: command not found`];
  if (code === 127 && missing.some((words) => said.endsWith(` ${words}`))) {
    return "no such command";
  }
  return code === 126 && said.endsWith(` ${program}: Permission denied`)
    ? "not executable"
    : undefined;
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
      outcome: printed === undefined || said === undefined ? cutOff(outcome) : {
        code: Number(said.name),
        stdout: printed.text,
        stderr: said.text,
      },
    };
  });
}

/** What came of a question that the shell did not come to. */
function cutOff(outcome: Outcome): Outcome {
  return outcome.code === 0
    ? { ...outcome, code: undefined, ended: "killed" }
    : outcome;
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
