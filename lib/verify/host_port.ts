/**
 * Whether a port of the node leads to the pod that asks for it (hostPort), which the
 * reference portmap does behind this project's plugin. In Kubernetes the test pods ask
 * for one; on a lab's node stage 09 has portmap map one for a moment, as a runtime
 * would (https://www.cni.dev/plugins/current/meta/portmap/).
 */
import { turnsOf } from "../cluster/at_once.ts";
import { makeStage, newPods, onNode } from "../diagnosis/remedy.ts";
import type { Cause } from "../diagnosis/cause.ts";
import {
  type AddResult,
  type NetworkList,
  parseList,
  pluginCommand,
  type PluginConfig,
  RuntimeError,
} from "../cni/runtime.ts";
import {
  cmd,
  type Command,
  ending,
  type Outcome,
  type RunOptions,
  show,
  succeeded,
} from "../exec/command.ts";
import type { Node } from "../node/node.ts";
import { portmapTable } from "../cni/conflist.ts";
import { httpCalls, noAnswer, readCalls, url } from "./http_calls.ts";
import { podAttachment, server } from "./namespace_pods.ts";
import type { Site, Situation } from "./situation.ts";
import type { Prepared } from "./start_pods.ts";

/** The port of the node for which the pod "web" asks (config/pods.yaml). */
export const hostPort = 18081;

/** What came of a call to the port. */
export interface HostPortTried {
  readonly node: string;
  /** Absent where it was not tried: nothing maps ports there. */
  readonly answered?: boolean;
  readonly cause?: Cause;
}

/**
 * Has every other node, and the host outside of a lab, call the port of each worker
 * whose pods start with portmap.
 *
 * @throws {UnreachableError}
 */
export async function tryHostPorts(
  situation: Situation,
  selected: readonly string[],
  prepared: readonly Prepared[],
  options: RunOptions & { readonly limit_ms: number },
): Promise<readonly HostPortTried[]> {
  const { progress, outside, sites } = situation;
  const turn = turnsOf(situation.cluster);
  const tried = await Promise.all(
    prepared.map(({ site, pods }) =>
      turn(async (): Promise<HostPortTried[]> => {
        const { name } = site.node;
        const web = pods[server];
        const forwards = progress.complete.get(name)?.includes("06-forwarding");
        if (!selected.includes(name) || !forwards || web.is !== "there") {
          return [];
        }
        const callers = [
          ...[...sites.values()].map(({ runner }) => runner)
            .filter((runner) => runner.name !== name),
          ...(outside.is === "there" ? [outside.runner] : []),
        ];
        const mapping = mappingOf(site);
        if (callers.length === 0) return [];
        if (mapping === undefined) return [{ node: name }];
        if (situation.kubernetes !== undefined) {
          return [await callAll(site, callers, options)];
        }
        return [
          await whileMapped(
            site,
            mapping,
            web.result,
            options,
            () => callAll(site, callers, options),
          ),
        ];
      })
    ),
  );
  return tried.flat();
}

/** The configuration by which a node's pods start, and its portmap. */
interface Mapping {
  readonly list: NetworkList;
  readonly portmap: PluginConfig;
}

function mappingOf({ survey: { list: text } }: Site): Mapping | undefined {
  if (text === undefined) return undefined;
  try {
    const list = parseList(text.text, text.path);
    const portmap = list.plugins.find(({ type }) => type === "portmap");
    return portmap && { list, portmap };
  } catch (error) {
    if (error instanceof RuntimeError) return undefined;
    throw error;
  }
}

/** Calls while portmap has mapped the port to a lab's pod. */
async function whileMapped(
  { node: { name }, runner }: Site,
  { list, portmap }: Mapping,
  result: AddResult,
  { limit_ms: _, ...options }: RunOptions & { readonly limit_ms: number },
  call: () => Promise<HostPortTried>,
): Promise<HostPortTried> {
  const portMappings = [{ hostPort, containerPort: 80, protocol: "tcp" }];
  const config = { ...portmap, runtimeConfig: { portMappings } };
  const command = (verb: "ADD" | "DEL") =>
    pluginCommand(verb, list, config, podAttachment(server), result);
  const { signal: _signal, ...always } = options;
  try {
    const add = command("ADD");
    const outcome = await runner.run(add, options);
    if (succeeded(outcome)) return await call();
    return { node: name, answered: false, cause: unmapped(name, add, outcome) };
  } finally {
    // Also after Ctrl-C. The pod's own DEL would take it away, too.
    await runner.run(command("DEL"), always);
  }
}

async function callAll(
  site: Site,
  callers: readonly Node[],
  { limit_ms, ...options }: RunOptions & { readonly limit_ms: number },
): Promise<HostPortTried> {
  const { node: { name, addresses } } = site;
  const urls = addresses.map((address) => url(address, hostPort));
  const call = async (runner: Node, limit_ms: number) =>
    readCalls(await runner.run(httpCalls(urls, limit_ms), options), urls);
  const answers = await Promise.all(callers.map(async (runner) => {
    const first = await call(runner, limit_ms);
    const isWell = [...first.values()].every(({ answer }) => answer === "yes");
    // As with any path, a "no" is believed only once it had more time.
    const found = isWell ? first : await call(runner, limit_ms * 3);
    return [...found].flatMap(([target, observed]) =>
      observed.answer === "no"
        ? [{ from: runner.name, target, said: observed.said }]
        : []
    );
  }));
  const [failed] = answers.flat();
  if (failed === undefined) return { node: name, answered: true };
  const cause = await unanswered(site, failed, options);
  return { node: name, answered: false, cause };
}

/** A call that got no answer. */
interface Failed {
  readonly from: string;
  readonly target: string;
  readonly said: string;
}

const rulesScript = 'for tool in iptables ip6tables; do "$tool-save" -t nat; ' +
  'done 2>/dev/null | grep -we "$1"; ' +
  `nft list table inet ${portmapTable} 2>/dev/null | grep -we "$1"; :`;

/** Shows the rules that come before portmap's, in the words of what it writes with. */
function ahead({ survey: { list } }: Site): Command {
  return /"backend":\s*"nftables"/.test(list?.text ?? "")
    ? cmd`nft list ruleset`
    : cmd`iptables -w -t nat -S PREROUTING`;
}

async function unanswered(
  site: Site,
  { from, target, said }: Failed,
  options: RunOptions,
): Promise<Cause> {
  const { node: { name }, runner } = site;
  const ask = cmd`sh -c ${rulesScript} rules ${hostPort}`;
  const { stdout } = await runner.run(ask, options);
  const rules = stdout.trim();
  return {
    kind: "host-port",
    on: name,
    what: `the port ${hostPort} of ${name} does not lead to pod ${server}, ` +
      `which asks for it (hostPort): ${
        rules === ""
          ? "portmap is in the network configuration, and no rule of it there"
          : `${from} gets no answer, though rules of portmap are there`
      }`,
    evidence: [
      {
        where: from,
        command: `wget -qO- ${target}`,
        printed: said || noAnswer,
      },
      { where: name, command: show(ask), printed: rules || "nothing" },
    ],
    remedies: rules === ""
      ? [makeStage("03-cni-config", name), ...newPods(name)]
      : [onNode(name, ahead(site)), ...newPods(name)],
  };
}

function unmapped(
  name: string,
  add: ReturnType<typeof pluginCommand>,
  outcome: Outcome,
): Cause {
  const { stdout, stderr } = outcome;
  return {
    kind: "host-port",
    on: name,
    what: `portmap of ${name} does not map a port of the node to a pod, as ` +
      "pods with a hostPort want it",
    evidence: [{
      where: name,
      command: show({ argv: add.argv }),
      printed: `${stdout}${stderr}`.trim() || ending(outcome),
    }],
    // It leaves portmap out where that does not run.
    remedies: [makeStage("03-cni-config", name)],
  };
}
