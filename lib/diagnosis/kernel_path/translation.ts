/** Rules that keep addresses from being rewritten, or rewrite them to what is nowhere. Pure. */
import { cmd } from "../../exec/command.ts";
import { words } from "../../net/iptables.ts";
import {
  type Flow,
  mendIn,
  type Obstacle,
  ownerOfPod,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import { ownAddresses } from "./packets.ts";
import type { KernelSurvey } from "./survey.ts";

/** A rule that a packet ends at. */
interface ChainEnd {
  /** The program that printed it. */
  readonly tool: string;
  readonly table: string;
  readonly hook: string;
  readonly rule: string;
  readonly target: string;
  readonly packet: Flow;
}

/**
 * What a rule of the table raw or nat does to what it meets, where its target
 * neither lets it through nor drops it.
 */
export function translationObstacle(
  { tool, table, hook, rule, target, packet }: ChainEnd,
  survey: KernelSurvey,
  traffic: Traffic,
): Obstacle | undefined {
  const { space } = survey;
  const what = table !== "nat"
    ? untracked(rule, target, packet, traffic)
    : hook === "POSTROUTING"
    ? strangeSource(rule, target, survey) ??
      unmasked(rule, target, packet, traffic)
    : strangeDestination(rule, target, packet, traffic);
  if (what === undefined) return undefined;
  return {
    // What gives a packet to somebody else is told of as what drops it.
    kind: table === "nat" && hook !== "POSTROUTING" ? "iptables" : "nat",
    is: "loses",
    space,
    what: `a rule of ${hook} in the table ${table} of ${tool} on ` +
      `${spaceName(space)} ${what}`,
    evidence: [shownIn(space, cmd`${tool} -t ${table} -S ${hook}`, rule)],
    remedies: [
      mendIn(space, cmd`${tool} -w -t ${table} -D ${words(rule).slice(1)}`),
    ],
  };
}

/** Connection tracking is what brings answers back to what 07 rewrites. */
function untracked(
  rule: string,
  target: string,
  { source, destination }: Flow,
  { cluster }: Traffic,
): string | undefined {
  const zone = /--zone(?:-orig|-reply)? (\S+)/.exec(rule)?.[1];
  const untracks = target === "NOTRACK" || / --notrack/.test(rule);
  if (!untracks && (target !== "CT" || zone === undefined)) return undefined;
  const isPod = (address: string) => ownerOfPod(cluster, address) !== undefined;
  // What goes between pods is rewritten nowhere.
  if (isPod(source) && isPod(destination)) return undefined;
  return untracks
    ? `keeps packets from being tracked: they are not masqueraded, and ` +
      `answers are not translated back: ${rule}`
    : `puts packets into zone ${zone} of connection tracking: what comes ` +
      `back in another zone is not translated back: ${rule}`;
}

/** A rule ahead of 07's that lets a pod's packet leave under the pod's own name. */
function unmasked(
  rule: string,
  target: string,
  { source, destination }: Flow,
  { cluster }: Traffic,
): string | undefined {
  const leaves = ownerOfPod(cluster, source) !== undefined &&
    destination === cluster.outside.address;
  return target === "ACCEPT" && leaves
    ? "keeps what pods send to the outside from being masqueraded: no answer " +
      `finds its way back: ${rule}`
    : undefined;
}

/** A destination of ours that is rewritten: an address of a Service is none of a pod or a node. */
function strangeDestination(
  rule: string,
  target: string,
  { destination }: Flow,
  { cluster }: Traffic,
): string | undefined {
  const owner = ownerOfPod(cluster, destination);
  const isOurs = owner !== undefined ||
    cluster.nodes.some(({ address }) => address === destination);
  const to = / --to-destination (\S+)/.exec(rule)?.[1];
  const instead = target === "REDIRECT" ? "itself" : to;
  const rewrites = target === "REDIRECT" || target === "DNAT";
  if (!isOurs || !rewrites || instead === undefined) return undefined;
  return `gives what is for ${
    owner === undefined ? destination : `pods of ${owner.name}`
  } to ${instead} instead: ${rule}`;
}

/** A source that no link of the node has: answers go to it, and never come back. */
function strangeSource(
  rule: string,
  target: string,
  survey: KernelSurvey,
): string | undefined {
  const to = / --to-source \[?([0-9a-fA-F.:]+?)\]?(?:[-:]\d\S*)?$/.exec(rule)
    ?.[1];
  if (target !== "SNAT" || to === undefined) return undefined;
  if (ownAddresses(survey).has(to)) return undefined;
  return `writes ${to} as the source, which ${spaceName(survey.space)} does ` +
    "not have: no answer comes back to it";
}
