/**
 * Stage 09's dry run: its commands as data, and as a script for a POSIX shell
 * on the operator's machine. Pure.
 */
import { knownOf, running } from "./known_ends.ts";
import { type Known, startsOf } from "./try_paths.ts";
import { pathsByStart } from "./wanted_paths.ts";
import type { Family } from "../net/cidr.ts";
import { cmd, type Command, show } from "../exec/command.ts";
import { familiesOf } from "../cluster/address_family.ts";
import { kubectl } from "../kubernetes/kubectl.ts";
import { resolve } from "./kubernetes_dns.ts";
import { addressesOf, insideOf, waitStep } from "./kubernetes_pods.ts";
import type { Kubernetes } from "./kubernetes_state.ts";
import { isRouted } from "./kubernetes_checks.ts";
import { missingSteps } from "./kubernetes_start.ts";
import { httpCalls } from "./http_calls.ts";
import {
  caller,
  paths as podPaths,
  podAttachment,
  type PodName,
  podNames,
  type PodStep,
  server,
} from "./namespace_pods.ts";
import { endServer, serverLog } from "./node_server.ts";
import {
  checkServers,
  missingOfPod,
  missingServers,
  type Placed,
  podSites,
} from "./start_pods.ts";
import { filledIn, placeholder, variablesOf } from "./placeholders.ts";
import { cleanupSteps } from "./cleanup.ts";
import { canCheck, checkCommands } from "../cni/runtime.ts";
import { type Site, type Situation, situationIn } from "./situation.ts";
import type { Runner } from "../node/node.ts";
import { script } from "../stage/plan_script.ts";

/**
 * What a dry run of stage 09 says. Both are made as they are taken: a thousand
 * nodes have three million paths.
 */
export interface VerifyPlan {
  /** For a POSIX shell on the operator's machine: whole lines, in pieces. */
  readonly script: () => Iterable<string>;
  readonly data: () => Iterable<PlanData>;
}

/** As the other stages give it (`--dry-run -o json`). */
interface PlanData {
  readonly stage: "09-verify";
  /** A node's name, "outside", or "POD on NODE". */
  readonly node: string;
  readonly steps: readonly PodStep[];
}

/**
 * What a run would execute. The address of a pod that is still to be started
 * is a variable of the script, and `@web.of.NODE@` in the data.
 *
 * @throws {RuntimeError} when a node's configuration is none
 */
export function planVerify(
  situation: Situation,
  selected: readonly string[],
): VerifyPlan {
  const sites = podSites(situation, selected);
  if (sites.length === 0) {
    const nothing = "# 09-verify: no pods, so no path can be tried\n";
    return { script: () => [nothing], data: () => [] };
  }
  const fresh = freshOf(sites, situation);
  const families = familiesOf(situation.cluster);
  const variables = variablesOf(situation.cluster);
  const prepared = preparations(situation, sites);
  const calls = function* () {
    for (const family of families) {
      const one = situationIn(situation, family);
      yield* callPlans(one, family, selected, fresh);
    }
  };
  const seen = "Which address did each caller have?";
  const after = [
    ...kubernetesQuestions(situation, sites),
    ...checkServers(situation).map(({ runner }) => ({
      runner,
      steps: [{ why: seen, run: serverLog() }, endServer()],
    })),
  ];
  const why = "Call all these at once; each answers with the address it saw";
  return {
    script: () =>
      separated(function* () {
        for (const one of prepared) yield asScript(one);
        for (const site of fresh) {
          for (const family of families) {
            yield addressLine(site, family, situation, variables);
          }
        }
        for (const { runner, run } of calls()) {
          yield `# 09-verify from ${runner.name}\n${show(runner.enter(run))}\n`;
        }
        for (const one of after) yield asScript(one);
      }, (section) => filledIn(section, variables)),
    *data() {
      for (const one of prepared) yield asData(one);
      for (const { runner, run } of calls()) {
        yield asData({ runner, steps: [{ why, run }] });
      }
      for (const one of after) yield asData(one);
    },
  };
}

/** What `--undo` would execute. */
export function planCleanup(
  situation: Situation,
  selected: readonly string[],
  withOutside: boolean,
): VerifyPlan {
  const placed = cleanupSteps(situation, selected, withOutside);
  return {
    script: () =>
      separated(function* () {
        for (const one of placed) yield asScript(one);
      }),
    data: () => placed.map(asData),
  };
}

/** Sections with an empty line between two of them. */
function* separated(
  sections: () => Iterable<string>,
  changed: (section: string) => string = (section) => section,
): Generator<string> {
  let between = "";
  for (const section of sections()) {
    yield between + changed(section);
    between = "\n";
  }
}

function asScript({ runner, steps }: Placed): string {
  return script("09-verify", { node: runner, steps }).join("");
}

function asData(
  { runner, steps }: { runner: Runner; steps: readonly PodStep[] },
): PlanData {
  return { stage: "09-verify", node: runner.name, steps };
}

/** The workers of which a pod's address is not known yet. */
function freshOf(
  sites: readonly Site[],
  situation: Situation,
): readonly Site[] {
  return sites.filter((site) =>
    podNames.some((pod) => running(pod, site, situation) === undefined)
  );
}

/** What Kubernetes itself is asked: its nodes, and a name in each worker's pod. */
function kubernetesQuestions(
  { kubernetes, cluster, progress }: Situation,
  sites: readonly Site[],
): Placed[] {
  if (kubernetes === undefined) return [];
  const { controlPlane, dns } = kubernetes;
  const nodes: PodStep = {
    why: "Does Kubernetes call every node Ready?",
    run: kubectl("get", "nodes"),
  };
  const names = dns === "ready" && isRouted(cluster, progress) ? sites : [];
  return [{
    runner: controlPlane,
    steps: [
      nodes,
      ...names.map(({ node: { name } }) => ({
        why: `Does a pod on ${name} resolve the name of a service?`,
        run: insideOf(caller, name, resolve()),
      })),
    ],
  }];
}

/** What starts or checks the servers and pods, machine by machine. */
function preparations(
  situation: Situation,
  sites: readonly Site[],
): Placed[] {
  return byMachine([
    ...missingServers(situation),
    ...checkServers(situation),
    ...(situation.kubernetes === undefined
      ? sites.map((site) => ({ runner: site.runner, steps: podSteps(site) }))
      : kubernetesPods(situation.kubernetes, sites)),
  ]);
}

function kubernetesPods(
  kubernetes: Kubernetes,
  sites: readonly Site[],
): Placed[] {
  const steps = missingSteps(kubernetes, sites.map(({ node }) => node));
  return [{
    runner: kubernetes.controlPlane,
    steps: steps.length === 0 ? [] : [...steps, waitStep()],
  }];
}

/** The calls of one family, from each place where some begin, a place at a time. */
function* callPlans(
  situation: Situation,
  family: Family,
  selected: readonly string[],
  fresh: readonly Site[],
): Generator<{ readonly runner: Runner; readonly run: Command }> {
  const known = addressesToCome(situation, fresh, family);
  for (const paths of pathsByStart(situation, selected, known)) {
    for (const { runner, calls } of startsOf(paths, situation, known)) {
      yield { runner, run: httpCalls(calls.map(({ url }) => url)) };
    }
  }
}

/** One entry a machine, those without steps left out. */
function byMachine(placed: readonly Placed[]): Placed[] {
  const byName = Map.groupBy(placed, ({ runner }) => runner.name);
  return [...byName.values()].flatMap((own) => {
    const steps = own.flatMap(({ steps }) => steps);
    const [first] = own;
    return first === undefined || steps.length === 0
      ? []
      : [{ ...first, steps }];
  });
}

/** A pod's steps: what is missing of it or, where it is there, what CHECKs it. */
function podSteps(site: Site): PodStep[] {
  return podNames.flatMap((pod) => {
    const state = site.survey.pods[pod];
    const { clear, start } = missingOfPod(site, pod);
    const checks = state.is === "running" && canCheck(state.list)
      ? checkCommands(state.list, podAttachment(pod), state.result)
      : [];
    const why = `CHECK: is pod ${pod} still as ADD left it?`;
    return [...clear, ...start, ...checks.map((run) => ({ why, run }))];
  });
}

/** What will be known once the missing pods have started. */
function addressesToCome(
  situation: Situation,
  fresh: readonly Site[],
  family: Family,
): Known {
  const known = knownOf(situation, []);
  const extended = (addresses: ReadonlyMap<string, string>, pod: PodName) =>
    new Map([
      ...addresses,
      ...fresh
        .filter((site) => running(pod, site, situation) === undefined)
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
  { cluster, kubernetes }: Situation,
  variables: ReadonlyMap<string, string>,
): string {
  const which = cluster.clusterCIDRs.length === 1 ? "" : ` IPv${family}`;
  const intro =
    `# The${which} address that ADD gave pod ${server} on ${node.name}\n` +
    `${variables.get(placeholder(node.name, family))}=`;
  if (kubernetes !== undefined) {
    const sign = family === 4 ? "[.]" : ":";
    const read = kubernetes.controlPlane.enter(addressesOf(server, node.name));
    return `${intro}$(${show(read)} | tr ' ' '\\n' | grep '${sign}')\n`;
  }
  const form = family === 4 ? "[0-9.]*" : "[0-9a-f]*:[0-9a-f:]*";
  const address = `s/.*"address": *"\\(${form}\\)\\/.*/\\1/p`;
  const read = runner.enter(
    cmd`sed -n ${address} ${podPaths.result(server)}`,
  );
  return `${intro}$(${show(read)})\n`;
}
