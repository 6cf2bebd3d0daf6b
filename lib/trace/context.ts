/**
 * The context of a trace: its ends, the machines on its way, and what they
 * have. It asks, and changes nothing.
 */
import type { Family } from "../net/cidr.ts";
import { type Cluster } from "../cluster/cluster.ts";
import { CommandError, type RunOptions } from "../exec/command.ts";
import { inFamily } from "../cluster/address_family.ts";
import { routerName } from "../cluster/segments.ts";
import { outsideName } from "../lab/names.ts";
import { type Reach, type Runner, UnreachableError } from "../node/node.ts";
import type { Stage } from "../stage/stage.ts";
import { askParts } from "../node/parts.ts";
import {
  type End,
  familyFor,
  findEnd,
  type ListeningPlace,
  listeningPlaces,
  machineOf,
  type Named,
} from "./endpoints.ts";
import { longestMatch } from "../net/route_match.ts";
import {
  machineSurvey,
  programs,
  readMachine,
  type SurveyedMachine,
} from "./machine_survey.ts";
import type { CalledPort } from "./probe_packets.ts";
import { StepError } from "../stage/errors.ts";

/** What to trace, and how. */
export interface TraceOrder {
  readonly from: Named;
  readonly to: Named;
  readonly family?: Family;
  /** The port to call instead of a web server of stage 09. */
  readonly call?: CalledPort;
  /** The stages whose probes give evidence. */
  readonly stages: readonly Stage[];
  readonly options: RunOptions;
}

/** What a first look found out, for a second one. */
export interface SecondLook {
  /** Listens on all machines, however many they are. */
  readonly everywhere?: boolean;
  /** Who receives what is sent to the end that was named, and its server there. */
  readonly renamed?: { readonly address: string; readonly port?: number };
}

/** What is known of a trace's surroundings before packets are sent. */
export interface TraceContext {
  /** With the addresses of one family alone. */
  readonly cluster: Cluster;
  readonly family: Family;
  readonly from: End;
  /** Who receives. */
  readonly to: End;
  /** What the sender names: another end than `to` where a rule rewrites that. */
  readonly called: End;
  readonly call?: CalledPort;
  /** The port that a server has under its last name. */
  readonly lastPort?: number;
  readonly machines: ReadonlyMap<string, SurveyedMachine>;
  /** The machines at neither end that could not be listened at. */
  readonly deaf: readonly string[];
  /** Whether all of the cluster was listened at. */
  readonly everywhere: boolean;
  readonly places: readonly ListeningPlace[];
  readonly runnerOf: (machine: string) => Runner;
  readonly options: RunOptions;
}

/** A cluster of up to so many nodes is listened to as a whole at once. */
const few = 6;

/**
 * Looks at the machines of both ends, and at the others that a packet may come by.
 *
 * @throws {EndError} when there is no such end
 * @throws {UnreachableError} when a machine of an end cannot be reached
 * @throws {StepError} when one of them lacks a program that tracing takes
 */
export async function survey(
  whole: Cluster,
  reach: Reach,
  order: TraceOrder,
  { everywhere = whole.nodes.length <= few, renamed }: SecondLook = {},
): Promise<TraceContext> {
  const { from: fromName, to: named, options, call } = order;
  const family = familyFor(named, order.family, whole);
  const cluster = inFamily(whole, family);
  const toName: Named = renamed === undefined
    ? named
    : { is: "address", address: renamed.address };
  const runnerOf = (machine: string): Runner => {
    if (machine !== outsideName) return reach.nodeOf(machine);
    if (reach.outside !== undefined) return reach.outside;
    throw new UnreachableError(machine, "no machine of this cluster");
  };
  const lookAt = (name: string) =>
    askMachine(
      name,
      runnerOf(name),
      { ends: [fromName, toName, named], cluster, family },
      options,
    );
  const ends = new Set(
    [fromName, toName, named].map((end) => machineOf(end, cluster))
      .filter((name) => name !== undefined),
  );
  const deaf: string[] = [];
  const lookAside = async (names: readonly string[]) =>
    await Promise.all(names.map(async (name) => {
      try {
        return [await lookAt(name)];
      } catch (error) {
        if (!isDeaf(error)) throw error;
        deaf.push(name);
        return [];
      }
    }));
  const all = [
    ...cluster.nodes.map(({ name }) => name),
    ...(reach.outside === undefined ? [] : [outsideName]),
    ...(cluster.segments === undefined ? [] : [routerName]),
  ].filter((name) => !ends.has(name));
  const [first, rest] = await Promise.all([
    Promise.all([...ends].map(lookAt)),
    lookAside(everywhere ? all : []),
  ]);
  const known = new Map(first.map((machine) => [machine.name, machine]));
  const find = (end: Named) =>
    findEnd(end, known.get(machineOf(end, cluster) ?? ""), cluster);
  const [from, to, called] = [find(fromName), find(toName), find(named)];
  const between = everywhere
    ? []
    : hopsBetween(from, to, known, cluster).filter((name) => !ends.has(name));
  const aside = [...rest, ...await lookAside(between)].flat();
  const machines = new Map(
    [...first, ...aside].map((machine) => [machine.name, machine]),
  );
  const places = listeningPlaces(from, to, machines);
  const lastPort = renamed?.port;
  return {
    ...{ cluster, family, from, to, called, machines, deaf, places },
    ...{ runnerOf, options, everywhere },
    ...(call === undefined ? {} : { call }),
    ...(lastPort === undefined ? {} : { lastPort }),
  };
}

/** Whether an error says that a machine cannot be listened at, which others make up for. */
function isDeaf(error: unknown): boolean {
  return error instanceof UnreachableError || error instanceof StepError ||
    error instanceof CommandError;
}

/** Looks at a machine, and into the pods of the ends that are there. */
async function askMachine(
  name: string,
  runner: Runner,
  { ends, cluster, family }: {
    readonly ends: readonly Named[];
    readonly cluster: Cluster;
    readonly family: Family;
  },
  options: RunOptions,
): Promise<SurveyedMachine> {
  const wanted = {
    family,
    pods: ends.flatMap((end) =>
      end.is === "pod" && end.node === name ? [end.pod] : []
    ),
    addresses: ends.flatMap((end) => end.is === "address" ? [end.address] : []),
  };
  const question = machineSurvey(name, wanted);
  const { parts, outcome, command } = await askParts(runner, question, options);
  const address = name === outsideName
    ? cluster.outside.gateway
    : name === routerName && cluster.segments !== undefined
    ? cluster.segments[0]?.router[0]
    : cluster.nodes.find((node) => node.name === name)?.address;
  if (parts !== undefined) return checked(readMachine(name, address, parts));
  const why = "see what is there before the packets are sent";
  throw new CommandError(name, command, outcome, why);
}

/** @throws {StepError} when a program is missing that tracing takes */
function checked(machine: SurveyedMachine): SurveyedMachine {
  const missing = Object.entries(programs)
    .filter(([program]) => !machine.programs.includes(program));
  if (missing.length === 0) return machine;
  throw new StepError(
    `${machine.name} has no ${
      missing.map(([program]) => program).join(", ")
    }, ` +
      `which a trace takes\nwhat to do: on ${machine.name}, apt-get install ${
        missing.map(([, name]) => name).join(" ")
      }`,
  );
}

/** The machines that the routes at both ends name as next hops. */
function hopsBetween(
  from: End,
  to: End,
  machines: ReadonlyMap<string, SurveyedMachine>,
  { nodes, outside, provider, segments = [] }: Cluster,
): readonly string[] {
  const byAddress = new Map(nodes.map(({ name, address }) => [address, name]));
  for (const { router } of segments) {
    for (const address of router) byAddress.set(address, routerName);
  }
  if (provider === "lab") byAddress.set(outside.gateway, outsideName);
  return [[from, to], [to, from]].flatMap(([near, far]) => {
    const machine = near?.machine && machines.get(near.machine);
    if (!machine || far === undefined) return [];
    const next = longestMatch(machine.routes, far.address)?.gateway;
    return next === undefined ? [] : byAddress.get(next) ?? [];
  });
}
