/** Stage 09's dry run: its commands as a script for a POSIX shell on the operator's machine. Pure. */
import { type Known, knownOf, pathsToTry, startsOf } from "./attempts.ts";
import { cmd, show } from "./command.ts";
import { workersOf } from "./matrix.ts";
import { call } from "./paths.ts";
import {
  attachmentOf,
  caller,
  paths as podPaths,
  type PodName,
  podNames,
  type PodStep,
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
import type { Site, Situation } from "./situation.ts";

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
  const known = knownOf(situation, []);
  const fresh = sites.filter(({ survey }) =>
    podNames.some((pod) => survey.pods[pod].is !== "running")
  );
  const variables = new Map(
    workersOf(situation.cluster).map(({ name }, at) => [name, `web_${at + 1}`]),
  );
  const stand = standIns(known, fresh);
  const placed: Placed[] = [
    ...missingServers(situation),
    ...sites.map((site) => ({ runner: site.runner, steps: podSteps(site) })),
  ].filter(({ steps }) => steps.length > 0);
  const calls = startsOf(
    pathsToTry(situation, selected, stand),
    situation,
    stand,
  )
    .map(({ runner, calls }) => {
      const urls = calls.map(({ url }) => url);
      return `# 09-verify from ${runner.name}\n${
        show(runner.enter(call(urls)))
      }\n`;
    });
  const text = [
    ...placed.map(({ runner, steps }) =>
      script("09-verify", { node: runner, steps })
    ),
    ...fresh.map((site) =>
      addressLine(site, variables.get(site.node.name) ?? "")
    ),
    ...calls,
  ].join("\n");
  return [...variables].reduce(
    (text, [node, variable]) =>
      text.replaceAll(placeholder(node), `"$${variable}"`),
    text,
  );
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

/** Stands for the address of a node's pod in a text, with no character that a shell quotes. */
function placeholder(node: string): string {
  return `@web.of.${node}@`;
}

/** What will be known once the missing pods have started. */
function standIns(known: Known, fresh: readonly Site[]): Known {
  const with_ = (addresses: ReadonlyMap<string, string>, pod: PodName) =>
    new Map([
      ...addresses,
      ...fresh.filter(({ survey }) => survey.pods[pod].is !== "running")
        .map(({ node: { name } }) => [name, placeholder(name)] as const),
    ]);
  return {
    ...known,
    callers: with_(known.callers, caller),
    servers: with_(known.servers, server),
  };
}

/** Reads the address of a pod that the script has started. */
function addressLine({ node, runner }: Site, variable: string): string {
  const address = `s/.*"address": *"\\([^"/]*\\)\\/.*/\\1/p`;
  const read = runner.enter(
    cmd`sed -n ${address} ${podPaths.result(server)}`,
  );
  return `# The address that ADD gave pod ${server} on ${node.name}\n` +
    `${variable}=$(${show(read)})\n`;
}
