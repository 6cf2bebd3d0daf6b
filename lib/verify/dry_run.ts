/**
 * Stage 09's dry run: its commands as data, and as a script for a POSIX shell
 * on the operator's machine. Pure.
 */
import { knownOf, running } from "./known_ends.ts";
import { type Known, pathsToTry, startsOf } from "./try_paths.ts";
import type { Family } from "../net/cidr.ts";
import { cmd, type Command, show } from "../exec/command.ts";
import { familiesOf } from "../cluster/address_family.ts";
import { kubectl } from "../kubernetes/kubectl.ts";
import { resolve } from "./kubernetes_dns.ts";
import { addressesOf, insideOf, waitStep } from "./kubernetes_pods.ts";
import type { Kubernetes } from "./kubernetes_state.ts";
import { isRouted } from "./kubernetes_checks.ts";
import { missingSteps } from "./kubernetes_start.ts";
import { workersOf } from "./matrix.ts";
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
import { filledIn, placeholder, variable } from "./placeholders.ts";
import { cleanupSteps } from "./cleanup.ts";
import { canCheck, checkCommands } from "../cni/runtime.ts";
import { type Site, type Situation, situationIn } from "./situation.ts";
import type { Runner } from "../node/node.ts";
import { script } from "../stage/plan_script.ts";

/** What a dry run of stage 09 says. */
export interface VerifyPlan {
  /** For a POSIX shell on the operator's machine. */
  readonly script: string;
  readonly data: readonly PlanData[];
}

/** A plan as data (`--dry-run -o json`), as the other stages give it. */
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
    return {
      script: "# 09-verify: no pods, so no path can be tried\n",
      data: [],
    };
  }
  const { cluster } = situation;
  const fresh = freshOf(sites, situation);
  const families = familiesOf(cluster);
  const prepared = preparations(situation, sites);
  const calls = families.flatMap((family) =>
    callPlans(situationIn(situation, family), family, selected, fresh)
  );
  const asked = kubernetesQuestions(situation, sites);
  const ends = checkServers(situation).map(({ runner }) => ({
    runner,
    steps: [{
      why: "Which address did each caller have?",
      run: serverLog(),
    }, endServer()],
  }));
  const text = [
    ...prepared.map(asScript),
    ...fresh.flatMap((site) =>
      families.map((family) => addressLine(site, family, situation))
    ),
    ...calls.map(({ runner, run }) =>
      `# 09-verify from ${runner.name}\n${show(runner.enter(run))}\n`
    ),
    ...asked.map(asScript),
    ...ends.map(asScript),
  ].join("\n");
  const why = "Call all these at once; each answers with the address it saw";
  return {
    script: filledIn(
      text,
      new Map(
        families.flatMap((family) =>
          workersOf(cluster).map(({ name }) =>
            [
              placeholder(name, family),
              variable(name, family, cluster),
            ] as const
          )
        ),
      ),
    ),
    data: [
      ...prepared.map(asData),
      ...calls.map(({ runner, run }) =>
        asData({ runner, steps: [{ why, run }] })
      ),
      ...asked.map(asData),
      ...ends.map(asData),
    ],
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
    script: placed.map(asScript).join("\n"),
    data: placed.map(asData),
  };
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

/** The calls of one family, from each place where some begin. */
function callPlans(
  situation: Situation,
  family: Family,
  selected: readonly string[],
  fresh: readonly Site[],
): { readonly runner: Runner; readonly run: Command }[] {
  const known = addressesToCome(situation, fresh, family);
  const paths = pathsToTry(situation, selected, known);
  return startsOf(paths, situation, known).map(({ runner, calls }) => ({
    runner,
    run: httpCalls(calls.map(({ url }) => url)),
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
): string {
  const which = cluster.clusterCIDRs.length === 1 ? "" : ` IPv${family}`;
  const intro =
    `# The${which} address that ADD gave pod ${server} on ${node.name}\n` +
    `${variable(node.name, family, cluster)}=`;
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
