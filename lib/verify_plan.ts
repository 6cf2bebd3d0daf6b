/** Stage 09's dry run: its commands as a script for a POSIX shell on the operator's machine. Pure. */
import { type Known, knownOf, pathsToTry, startsOf } from "./attempts.ts";
import type { Family } from "./cidr.ts";
import type { Cluster } from "./cluster.ts";
import { cmd, type Command, show } from "./command.ts";
import { familiesOf } from "./families.ts";
import { workersOf } from "./matrix.ts";
import { call } from "./paths.ts";
import {
  attachmentOf,
  caller,
  paths as podPaths,
  type PodName,
  podNames,
  type PodStep,
  type Runner,
  server,
} from "./pods.ts";
import {
  endings,
  missingOfPod,
  missingServers,
  type Placed,
  podSites,
} from "./prepare.ts";
import { script } from "./report.ts";
import { canCheck, check } from "./runtime.ts";
import { type Site, type Situation, situationIn } from "./situation.ts";

/**
 * What a run would execute. The address of a pod that is still to be started
 * is a variable of the script.
 *
 * @throws {RuntimeError} when a node's configuration is none
 */
export function planVerify(
  situation: Situation,
  selected: readonly string[],
): string {
  const sites = podSites(situation, selected);
  if (sites.length === 0) {
    return "# 09-verify: no pods, so no path can be tried\n";
  }
  const fresh = sites.filter(isFresh);
  const families = familiesOf(situation.cluster);
  const text = [
    ...preparations(situation, sites).map(({ runner, steps }) =>
      script("09-verify", { node: runner, steps })
    ),
    ...fresh.flatMap((site) =>
      families.map((family) => addressLine(site, family, situation.cluster))
    ),
    ...families.flatMap((family) =>
      callPlans(situationIn(situation, family), family, selected, fresh)
        .map(({ runner, run }) =>
          `# 09-verify from ${runner.name}\n${show(runner.enter(run))}\n`
        )
    ),
  ].join("\n");
  return families.reduce((text, family) =>
    workersOf(situation.cluster).reduce(
      (text, { name }) =>
        text.replaceAll(
          placeholder(name, family),
          reference(variable(name, family, situation.cluster), family),
        ),
      text,
    ), text);
}

/** A plan as data (`--dry-run -o json`), as the other stages give it. */
export interface PlanData {
  readonly stage: "09-verify";
  /** A node's name, "outside", or "POD on NODE". */
  readonly node: string;
  readonly steps: readonly PodStep[];
}

/** What a run would execute, as data; an address that no pod has yet is `@web.of.NODE@`. */
export function planVerifyData(
  situation: Situation,
  selected: readonly string[],
): PlanData[] {
  const sites = podSites(situation, selected);
  if (sites.length === 0) return [];
  const fresh = sites.filter(isFresh);
  const why = "Call all these at once; each answers with the address it saw";
  return [
    ...preparations(situation, sites).map(asData),
    ...familiesOf(situation.cluster).flatMap((family) =>
      callPlans(situationIn(situation, family), family, selected, fresh)
    ).map(({ runner, run }) => asData({ runner, steps: [{ why, run }] })),
  ];
}

/** What `--undo` would execute, as data. */
export function planUnverifyData(
  situation: Situation,
  selected: readonly string[],
  withOutside: boolean,
): PlanData[] {
  return endings(situation, selected, withOutside).map(asData);
}

function asData(
  { runner, steps }: { runner: Runner; steps: readonly PodStep[] },
): PlanData {
  return { stage: "09-verify", node: runner.name, steps };
}

function isFresh({ survey }: Site): boolean {
  return podNames.some((pod) => survey.pods[pod].is !== "running");
}

/** What starts or checks the servers and pods, machine by machine. */
function preparations(
  situation: Situation,
  sites: readonly Site[],
): Placed[] {
  return byMachine([
    ...missingServers(situation),
    ...sites.map((site) => ({ runner: site.runner, steps: podSteps(site) })),
  ]);
}

/** The calls of one family, from each place where some begin. */
function callPlans(
  situation: Situation,
  family: Family,
  selected: readonly string[],
  fresh: readonly Site[],
): { readonly runner: Runner; readonly run: Command }[] {
  const stand = standIns(knownOf(situation, []), fresh, family);
  const paths = pathsToTry(situation, selected, stand);
  return startsOf(paths, situation, stand).map(({ runner, calls }) => ({
    runner,
    run: call(calls.map(({ url }) => url)),
  }));
}

/** One entry a machine, those without steps left out. */
function byMachine(placed: readonly Placed[]): Placed[] {
  const names = [...new Set(placed.map(({ runner }) => runner.name))];
  return names.flatMap((name) => {
    const own = placed.filter(({ runner }) => runner.name === name);
    const steps = own.flatMap(({ steps }) => steps);
    const [first] = own;
    return first === undefined || steps.length === 0
      ? []
      : [{ ...first, steps }];
  });
}

/** What `--undo` would execute. */
export function planUnverify(
  situation: Situation,
  selected: readonly string[],
  withOutside: boolean,
): string {
  return endings(situation, selected, withOutside)
    .map(({ runner, steps }) => script("09-verify", { node: runner, steps }))
    .join("\n");
}

/** A pod's steps: what is missing of it or, where it is there, what CHECKs it. */
function podSteps(site: Site): PodStep[] {
  return podNames.flatMap((pod) => {
    const state = site.survey.pods[pod];
    const { clear, start } = missingOfPod(site, pod);
    const checks = state.is === "running" && canCheck(state.list)
      ? check(state.list, attachmentOf(pod), state.result)
      : [];
    const why = `CHECK: is pod ${pod} still as ADD left it?`;
    return [...clear, ...start, ...checks.map((run) => ({ why, run }))];
  });
}

/** The shell's variable for the address of a node's pod. */
function variable(node: string, family: Family, cluster: Cluster): string {
  const at = workersOf(cluster).findIndex(({ name }) => name === node) + 1;
  return family === 4 ? `web_${at}` : `web6_${at}`;
}

/** Stands for that address in a text; url() takes it for one of its family. */
function placeholder(node: string, family: Family): string {
  return family === 4 ? `@web.of.${node}@` : `@web::of.${node}@`;
}

/** The variable where the placeholder stood: a URL of IPv4 has nothing that a shell quotes, one of IPv6 has brackets. */
function reference(variable: string, family: Family): string {
  return family === 4 ? `"$${variable}"` : `'"$${variable}"'`;
}

/** What will be known once the missing pods have started. */
function standIns(
  known: Known,
  fresh: readonly Site[],
  family: Family,
): Known {
  const extended = (addresses: ReadonlyMap<string, string>, pod: PodName) =>
    new Map([
      ...addresses,
      ...fresh.filter(({ survey }) => survey.pods[pod].is !== "running")
        .map(({ node: { name } }) =>
          [name, placeholder(name, family)] as const
        ),
    ]);
  return {
    ...known,
    callers: extended(known.callers, caller),
    servers: extended(known.servers, server),
  };
}

/** Reads the address of a pod that the script has started. */
function addressLine(
  { node, runner }: Site,
  family: Family,
  cluster: Cluster,
): string {
  const form = family === 4 ? "[0-9.]*" : "[0-9a-f]*:[0-9a-f:]*";
  const address = `s/.*"address": *"\\(${form}\\)\\/.*/\\1/p`;
  const read = runner.enter(
    cmd`sed -n ${address} ${podPaths.result(server)}`,
  );
  const which = cluster.clusterCIDRs.length === 1 ? "" : ` IPv${family}`;
  return `# The${which} address that ADD gave pod ${server} on ${node.name}\n` +
    `${variable(node.name, family, cluster)}=$(${show(read)})\n`;
}
