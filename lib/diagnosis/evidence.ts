/**
 * Evidence: what the nodes and pods on a broken path say of themselves. It
 * asks; it never changes anything. lib/diagnose.ts reads it.
 */
import { familyOf } from "../net/cidr.ts";
import type { ClusterNode } from "../cluster/cluster.ts";
import {
  cmd,
  type Command,
  ending,
  type RunOptions,
  show,
} from "../exec/command.ts";
import { type AddResult, ifname } from "../cni/runtime.ts";
import type { Answer, StageName, Step } from "../stage/stage.ts";
import type { Runner } from "../node/node.ts";
import { type Asked, listed } from "../node/batch.ts";
import { askTables } from "./kernel_tables/kernel_tables.ts";
import { askInterfaceSettings } from "./ask_settings.ts";
import {
  type KernelSurvey,
  readSurvey,
  type Space,
  surveyQuestion,
} from "./kernel_path/survey.ts";

/** What a step's probe says now. */
export interface ProbeFact {
  readonly stage: StageName;
  readonly why: string;
  /** What the step would do. */
  readonly run: Step["run"];
  /** Several steps may ask the same. */
  readonly asked: Asked;
  readonly answer: Answer;
}

/** What a pod says of itself. */
export interface PodFacts {
  readonly pod: string;
  readonly result: AddResult;
  /** `ip -j addr show` and `ip -j route show` inside it, routes of the node's family. */
  readonly links: Asked;
  readonly routes: Asked;
}

/** A pod that is there, and how to run the node's programs in its network namespace. */
export interface PodInside {
  readonly pod: string;
  readonly result: AddResult;
  readonly inside: Runner;
  /** The path of its network namespace. */
  readonly sandbox: string;
}

/** What a node says of itself, of one family. */
export interface NodeFacts {
  /** The node with the addresses of that family alone (inFamily()). */
  readonly node: ClusterNode;
  readonly probes: readonly ProbeFact[];
  /** `ip -j addr show`, `ip -j route show`. */
  readonly links: Asked;
  readonly routes: Asked;
  /** `iptables -S` of the tables filter and nat. */
  readonly filter: Asked;
  readonly nat: Asked;
  /** The settings of its interfaces (askInterfaceSettings). */
  readonly settings: Asked;
  /** Its tunnels (tunnelQuestion); absent where it has none. */
  readonly tunnels?: Asked;
  readonly pods: readonly PodFacts[];
  /** What lies on the packets' path, on the node and in these pods. */
  readonly kernel: readonly KernelSurvey[];
  /** How full the kernel's tables are (askTables). */
  readonly tables: Asked;
}

/** What a finding rests on: a command, and what it printed, or the part of it that matters. */
export interface Evidence {
  readonly where: string;
  readonly command: string;
  readonly printed: string;
}

/** A link as `ip -j addr show` has it, as far as we care. */
export interface LinkFacts {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly operstate: string;
  readonly master?: string;
  readonly addr_info: readonly {
    readonly local: string;
    readonly prefixlen: number;
  }[];
}

/** A route as `ip -j route show` has it, as far as we care. */
export interface RouteFacts {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
}

/** The program for the packet filter of the family that a node is looked at in. */
export function iptablesOf(node: ClusterNode): "iptables" | "ip6tables" {
  return familyOf(node.address) === 4 ? "iptables" : "ip6tables";
}

/**
 * Asks a node all that a diagnosis may need.
 *
 * @param node with the addresses of one family alone (inFamily())
 * @param probed the steps whose probes are asked again, by stage
 * @param pods the pods that are there
 * @param tunnels what asks for its tunnels, where it has any
 * @throws {UnreachableError}
 */
export async function gatherNode(
  runner: Runner,
  node: ClusterNode,
  probed: readonly {
    readonly stage: StageName;
    readonly steps: readonly Step[];
  }[],
  pods: readonly PodInside[],
  options: RunOptions,
  tunnels?: Command,
): Promise<NodeFacts> {
  const iptables = iptablesOf(node);
  const family = iptables === "iptables" ? [] : ["-6"];
  const showRoutes = cmd`ip ${family} -j route show`;
  // Several steps ask the same; it is asked once.
  const answers = new Map<string, Promise<Asked>>();
  const ask = (from: Runner, command: Command): Promise<Asked> => {
    const key = `${from.name} ${JSON.stringify(command)}`;
    const asked = answers.get(key) ??
      from.run(command, options).then((outcome) => ({
        where: from.name,
        command,
        outcome,
      }));
    answers.set(key, asked);
    return asked;
  };
  const asking = probed.flatMap(({ stage, steps }) =>
    steps.flatMap(({ why, run, doneWhen }) =>
      doneWhen === undefined ? [] : [
        ask(runner, doneWhen.ask).then((asked): ProbeFact => ({
          stage,
          why,
          run,
          asked,
          answer: doneWhen.read(asked.outcome),
        })),
      ]
    )
  );
  const askingPods = pods.map(async (one): Promise<PodFacts> => {
    const { pod, result, inside } = one;
    const [links, routes] = await Promise.all([
      ask(inside, cmd`ip -j addr show dev ${ifname}`),
      ask(inside, showRoutes),
    ]);
    return { pod, result, links, routes };
  });
  const surveys = spacesOf(runner, node.name, pods).map(async ([from, space]) =>
    readSurvey(space, (await ask(from, surveyQuestion)).outcome) ?? []
  );
  const askTunnels = tunnels === undefined ? undefined : ask(runner, tunnels);
  const [links, routes, filter, nat, settings, tables, ...more] = await Promise
    .all([
      ask(runner, cmd`ip -j addr show`),
      ask(runner, showRoutes),
      ask(runner, cmd`${iptables} -w -t filter -S`),
      ask(runner, cmd`${iptables} -w -t nat -S`),
      ask(runner, askInterfaceSettings),
      ask(runner, askTables),
      Promise.all(asking),
      Promise.all(askingPods),
      Promise.all(surveys),
    ]);
  const [probes, podFacts, kernel] = more;
  const facts = { node, probes, links, routes, filter, nat, settings, tables };
  const tunnel = askTunnels === undefined ? {} : { tunnels: await askTunnels };
  return { ...facts, ...tunnel, pods: podFacts, kernel: kernel.flat() };
}

/** A node's network namespace and those of its pods, each with what asks there. */
function spacesOf(
  runner: Runner,
  node: string,
  pods: readonly PodInside[],
): readonly (readonly [Runner, Space])[] {
  return [
    [runner, { node }],
    ...pods.map(({ pod: name, inside, sandbox }) =>
      [inside, { node, pod: { name, sandbox } }] as const
    ),
  ];
}

/** As many lines are shown of what a command printed, and as much of a line. */
const most = { lines: 12, characters: 600 };

/** The beginning of what a command printed, where that is long. */
function beginning(text: string): string {
  const lines = text.replaceAll("\r", "").split("\n");
  const shown = lines.slice(0, most.lines).map((line) =>
    line.length <= most.characters ? line : `${line.slice(0, most.characters)}…`
  );
  const more = lines.length - shown.length;
  return [...shown, ...(more > 0 ? [`… ${more} lines more`] : [])].join("\n");
}

/** A command in one line; of a shell program of many, what it is given. */
function commandLine(command: Command): string {
  const { label, argv } = command;
  if (label !== undefined) return label;
  if (!argv.some((word) => word.includes("\n"))) return show(command);
  return show(cmd`${argv.map((word) => word.includes("\n") ? "…" : word)}`);
}

/** Of rules as `iptables -S` prints them, those of one chain. */
export function rulesOf(chain: string, { outcome }: Asked): string | undefined {
  const own = new RegExp(`^-[PAN] ${chain}( |$)`);
  const rules = outcome.stdout.split("\n").filter((line) => own.test(line));
  return rules.length === 0 ? undefined : rules.join("\n");
}

/**
 * Evidence from an answer, whose beginning is shown where it is long.
 *
 * @param part what of the output matters, where that is not all of it
 */
export function evidence(asked: Asked, part?: unknown): Evidence {
  const { where, command, outcome } = asked;
  const text = part === undefined
    ? beginning(outcome.stdout.trim() || outcome.stderr.trim())
    : typeof part === "string"
    ? part
    : JSON.stringify(part);
  const code = outcome.code === 0 ? "" : ` (${ending(outcome)})`;
  return {
    where,
    command: commandLine(command),
    printed: `${text || "nothing"}${code}`,
  };
}

/** The link of this name, among those that `ip -j addr show` printed. */
export function linkNamed(asked: Asked, name: string): LinkFacts | undefined {
  return listed<LinkFacts>(asked).find(({ ifname }) => ifname === name);
}

/** Whether a link was set up. */
export function isSetUp({ flags }: LinkFacts): boolean {
  return flags.includes("UP");
}

/** Of a link, what says whether and where it is plugged in. */
export function linkPart(
  { ifname, flags, master, operstate, addr_info }: LinkFacts,
): unknown {
  return {
    ifname,
    flags,
    ...(master === undefined ? {} : { master }),
    operstate,
    addresses: addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
  };
}
