/** Commands that one process of ip(8) or bridge(8) can be given all at once. Pure. */
import type { Command } from "../exec/command.ts";

/** A command, and the network namespace that it is for, where that is not the machine's own. */
interface Placed {
  readonly command: Command;
  readonly sandbox?: string;
}

/** Questions that one process can be given stand together, with how it is called. */
export function byProgram<Question extends Placed>(
  questions: readonly Question[],
): readonly {
  readonly batch: string | undefined;
  readonly questions: readonly Question[];
}[] {
  const groups: { batch: string | undefined; questions: Question[] }[] = [];
  for (const question of questions) {
    const batch = batchedBy(question);
    const last = groups.at(-1);
    if (last !== undefined && last.batch === batch) {
      last.questions.push(question);
    } else groups.push({ batch, questions: [question] });
  }
  return groups.map((group) =>
    group.questions.length > 1 ? group : { ...group, batch: undefined }
  );
}

/** How the program is called that can be given this command; of those that print nothing. */
function batchedBy({ command, sandbox }: Placed): string | undefined {
  const { argv, stdin } = command;
  const isPlain = argv.every((word) => /^[\w@%+=:,./-]+$/.test(word));
  if (!isPlain || stdin !== undefined || sandbox !== undefined) {
    return undefined;
  }
  const [, program] =
    /^(ip(?: -[46])?|bridge) [a-z]+ (?:add|replace|set|del|flush) /.exec(
      argv.join(" "),
    ) ?? [];
  return program;
}
