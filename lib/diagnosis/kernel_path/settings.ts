/** Settings that keep packets from being sent, answered or passed on (ip-sysctl). Pure. */
import { familyOf } from "../../net/cidr.ts";
import { cmd } from "../../exec/command.ts";
import {
  type Flow,
  mendIn,
  type Obstacle,
  ownerOfPod,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import { shownName } from "../setting_fault.ts";
import { enoughHops } from "../../net/iptables.ts";
import { ownAddresses } from "./packets.ts";
import type { KernelSurvey } from "./survey.ts";

/** A value, and where it stands below /proc/sys/net. */
interface Value {
  readonly path: string;
  readonly value: number;
}

/** What a value does to packets; undefined where it is well. */
type Reading = (
  value: Value,
  survey: KernelSurvey,
  traffic: Traffic,
) =>
  | Pick<Obstacle, "kind" | "is" | "what"> & { readonly wanted: number }
  | undefined;

const readings: readonly Reading[] = [noEcho, fewHops, noArpAnswer, noQuestion];

/** Settings of a namespace that lose packets. */
export function settingObstacles(
  survey: KernelSurvey,
  traffic: Traffic,
): readonly Obstacle[] {
  const { space } = survey;
  return valuesIn(survey).flatMap((one) =>
    readings.flatMap((read): readonly Obstacle[] => {
      const found = read(one, survey, traffic);
      if (found === undefined) return [];
      const { wanted, ...obstacle } = found;
      // A link may have a dot in its name, which sysctl(8) takes between slashes alone.
      const name = `net/${one.path}`;
      return [{
        ...obstacle,
        space,
        evidence: [
          shownIn(space, cmd`sysctl ${name}`, `${dotted(one)} = ${one.value}`),
        ],
        remedies: [mendIn(space, cmd`sysctl -w ${`${name}=${wanted}`}`)],
      }];
    })
  );
}

function valuesIn({ parts }: KernelSurvey): readonly Value[] {
  return [...(parts.get("settings") ?? "").matchAll(/^(.*):(-?\d+)$/gm)]
    .map(([, path = "", value]) => ({ path, value: Number(value) }));
}

/** A setting as sysctl(8) prints it. */
const dotted = ({ path }: Value) => shownName(`net/${path}`);

const isFamilys = ({ path }: Value, { destination }: Flow) =>
  familyOf(destination) === (path.startsWith("ipv4") ? 4 : 6);

function noEcho(
  one: Value,
  survey: KernelSurvey,
  { flows }: Traffic,
): ReturnType<Reading> {
  if (!one.path.endsWith("echo_ignore_all") || one.value !== 1) {
    return undefined;
  }
  const own = ownAddresses(survey);
  const isAsked = flows.some((flow) =>
    own.has(flow.destination) && isFamilys(one, flow) && flow.protocol !== "tcp"
  );
  if (!isAsked) return undefined;
  return {
    kind: "setting",
    is: "may lose",
    what: `${spaceName(survey.space)} answers no ping: ${dotted(one)} is 1`,
    wanted: 0,
  };
}

function fewHops(
  one: Value,
  survey: KernelSurvey,
  traffic: Traffic,
): ReturnType<Reading> {
  const device = /^ipv6\/conf\/(.*)\/hop_limit$/.exec(one.path)?.[1];
  const isOurs = one.path === "ipv4/ip_default_ttl" ||
    device !== undefined && traffic.links.has(device);
  if (!isOurs || one.value >= enoughHops || one.value === 0) return undefined;
  const own = ownAddresses(survey);
  const far = traffic.flows.some((flow) =>
    own.has(flow.source) && isFamilys(one, flow) && !isNear(flow, traffic)
  );
  if (!far) return undefined;
  return {
    kind: "ttl",
    is: "loses",
    what: `what ${spaceName(survey.space)} sends passes ` +
      `${one.value === 1 ? "no machine" : "one machine"}: ${dotted(one)} is ` +
      one.value,
    wanted: 64,
  };
}

/** Whether a packet goes from a pod to another of its node, or between nodes. */
function isNear(
  { source, destination }: Flow,
  { cluster }: Traffic,
): boolean {
  return ownerOfPod(cluster, source) === ownerOfPod(cluster, destination);
}

function noArpAnswer(
  one: Value,
  { space }: KernelSurvey,
  { links }: Traffic,
): ReturnType<Reading> {
  const [, device = ""] = /^ipv4\/conf\/(.*)\/arp_ignore$/.exec(one.path) ?? [];
  // The node's own are among what the stages' checks look at.
  const hit = space.pod !== undefined && one.value >= 8 &&
    (device === "all" || links.has(device));
  if (!hit) return undefined;
  return {
    kind: "arp",
    is: "loses",
    what: `${spaceName(space)} answers no ARP request: ${dotted(one)} is ` +
      one.value,
    wanted: 0,
  };
}

function noQuestion(
  one: Value,
  { space }: KernelSurvey,
  { links, flows }: Traffic,
): ReturnType<Reading> {
  const [, device = ""] = /\/neigh\/(.*)\/mcast_solicit$/.exec(one.path) ?? [];
  const hit = links.has(device) && one.value === 0 &&
    flows.some((flow) => isFamilys(one, flow));
  if (!hit) return undefined;
  return {
    kind: "arp",
    is: "loses",
    what: `${spaceName(space)} asks for no link-layer address on ${device}: ` +
      `${dotted(one)} is 0`,
    wanted: 3,
  };
}
