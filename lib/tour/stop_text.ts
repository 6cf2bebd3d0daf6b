import { type Command, show } from "../exec/command.ts";
import type { StagePlan } from "../stage/plan_stages.ts";
import { changeLine } from "../verify/matrix_diff.ts";
import type { PathChange } from "../verify/matrix_diff.ts";
import { markSign } from "../verify/matrix_cells.ts";
import type { PlannedStep } from "../stage/plan_node.ts";
import { label } from "../stage/result.ts";
import type { Sentences } from "./stage_texts.ts";
import { rule, wrap, wrapCommand, wrapLines } from "../text/wrap.ts";
import { projectRoot } from "../exec/project_root.ts";

/** Commands on one machine, which stands for others like it. */
export interface Shown {
  readonly on: string;
  /** The machines on which the same is done. */
  readonly alike: readonly string[];
  /** Whether those run the very same commands; else with names and addresses of their own. */
  readonly exactly: boolean;
  readonly steps: readonly PlannedStep[];
}

/** What is told of a stop before anything is done. */
export interface Announcement {
  readonly title: string;
  /** "stop 3 of 11". */
  readonly number: number;
  readonly of: number;
  readonly sentences: Sentences;
  readonly shown: readonly Shown[];
}

/**
 * Shows each thing once: of nodes that do alike, one; of the operator's
 * commands, those about no node and those about that one.
 *
 * @param guide the node that stands for the others wherever it is one of them
 * @param names of all nodes
 */
export function condense(
  plans: readonly StagePlan[],
  guide: string,
  names: readonly string[],
): readonly Shown[] {
  const operators = plans.filter(({ node }) => node.name === "operator");
  const nodes = plans.filter(({ node }) => node.name !== "operator");
  const ofOperators = operators.map((plan) => ofOperator(plan, guide, names));
  const ofGroups = groups(nodes, names).map((group) => ofNodes(group, guide));
  // In the order in which it is done: some stages end on the operator's machine.
  const isLast = plans[0]?.node.name !== "operator";
  return (isLast
    ? [...ofGroups, ...ofOperators]
    : [...ofOperators, ...ofGroups])
    .filter(({ steps }) => steps.length > 0);
}

function ofOperator(
  { steps }: StagePlan,
  guide: string,
  names: readonly string[],
): Shown {
  const about = new Set(steps.map(({ node }) => node));
  const one = about.has(guide) ? guide : names.find((name) => about.has(name));
  return {
    on: "operator",
    alike: names.filter((name) => name !== one && about.has(name)),
    exactly: false,
    steps: steps.filter(({ node }) => node === undefined || node === one),
  };
}

/** Nodes whose steps have the same reasons. */
function groups(
  plans: readonly StagePlan[],
  names: readonly string[],
): StagePlan[][] {
  const known = new RegExp(`\\b(${names.join("|")})\\b`, "g");
  const found = new Map<string, StagePlan[]>();
  for (const plan of plans) {
    const key = plan.steps.map(({ why }) => why.replace(known, "NODE"))
      .join("\n");
    found.set(key, [...found.get(key) ?? [], plan]);
  }
  return [...found.values()];
}

function ofNodes(group: readonly StagePlan[], guide: string): Shown {
  const one = group.find(({ node }) => node.name === guide) ?? group[0];
  if (one === undefined) throw new TypeError("a group of no nodes");
  const texts = new Set(group.map(({ steps }) => commandText(steps)));
  return {
    on: one.node.name,
    alike: group.filter((plan) => plan !== one).map(({ node }) => node.name),
    exactly: texts.size === 1,
    steps: one.steps,
  };
}

function commandText(steps: readonly PlannedStep[]): string {
  return steps.map(({ run }) =>
    "copy" in run ? label(run) : show(run) + (run.stdin ?? "")
  ).join("\n");
}

/** A stop's title, its sentences and its commands. */
export function announcement(
  { title, number, of, sentences, shown }: Announcement,
): string {
  const parts = shown.map(shownText);
  return [
    rule(`${title} · stop ${number} of ${of}`),
    wrap(sentences.join(" ")),
    ...(parts.length === 0
      ? ["There is nothing to do: all of it is there already."]
      : parts),
  ].join("\n\n");
}

function shownText(shown: Shown): string {
  return `${wrap(whereText(shown))}\n\n${stepsText(shown)}`;
}

/** On which machines the same is done. */
export function whereText({ on, alike, exactly }: Shown): string {
  const others = alike.join(" and ");
  const where = on === "operator" ? "On this computer" : `On ${on}`;
  const same = on === "operator"
    ? `, and the same for ${others}`
    : exactly
    ? `, and the very same on ${others}`
    : `, and on ${others} with names and addresses of their own`;
  return `${where}${alike.length === 0 ? "" : same}:`;
}

/** The commands, each below its reason. */
export function stepsText({ steps }: Pick<Shown, "steps">): string {
  return steps.map(stepText).join("\n\n");
}

function stepText({ why, run }: PlannedStep): string {
  const reason = wrap(why, "  # ", "  # ");
  if ("copy" in run) {
    return `${reason}\n${wrap(local(label(run)), "  ", "      ")}`;
  }
  // The script behind a gist would say less than the gist.
  if (run.label === undefined) {
    return `${reason}\n${wrapCommand(inProject(run), "  ")}`;
  }
  const words = wrap(local(run.label), "  ", "      ");
  // A file that is written can be looked at afterwards.
  const input = run.writes !== undefined ? "" : inputText(run);
  return `${reason}\n${words}${input}`;
}

function inputText({ stdin }: Command): string {
  if (stdin === undefined) return "";
  const lines = readable(stdin).trimEnd().split("\n");
  return `\n${lines.map((line) => `  << ${line}`).join("\n")}`;
}

/** JSON that stands in one line, over several. */
function readable(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

/** Paths as they are from the project's folder, in which `make` works. */
function inProject(command: Command): Command {
  const [program, ...args] = command.argv;
  return { ...command, argv: [local(program), ...args.map(local)] };
}

function local(text: string): string {
  return text.replaceAll(`${projectRoot}/`, "");
}

/** A command that was run, and what it printed. */
export function transcript(
  where: string,
  command: Command,
  printed: string,
): string {
  return wrapLines(indent(
    `${where}$ ${local(show(command))}\n${printed.trimEnd()}`,
  ));
}

/** Every line two columns to the right. */
function indent(text: string): string {
  return text.split("\n").map((line) => line === "" ? "" : `  ${line}`)
    .join("\n");
}

/** What changed, in words; the signs in the table only point at it. */
export function changesText(found: readonly PathChange[]): string {
  if (found.length === 0) return "Nothing in the matrix has changed.";
  return [
    `Changed since the matrix before (${markSign.trim()}):`,
    ...found.map((change) => wrap(changeLine(change), "  ", "    ")),
  ].join("\n");
}
