/**
 * The context of a trace: its ends, the machines on its way, and what they
 * have. It asks, and changes nothing.
 */
import type { Family } from "../net/cidr.ts";
import { type Cluster } from "../cluster/cluster.ts";
import { CommandError, type RunOptions } from "../exec/command.ts";
import { inFamily } from "../cluster/address_family.ts";
import { outsideName } from "../lab/lab.ts";
import { type Reach, type Runner, UnreachableError } from "../node/node.ts";
import type { Stage } from "../stage/stage.ts";
import { askParts } from "../node/parts.ts";
import {
  checkApart,
  type End,
  familyFor,
  findEnd,
  listeningPlaces,
  longestMatch,
  machineOf,
  type Named,
  type Place,
} from "./endpoints.ts";
import {
  machineSurvey,
  programs,
  readMachine,
  type SurveyedMachine,
} from "./machine_survey.ts";
import { StepError } from "../stage/errors.ts";

/** What to trace, and how. */
export interface TraceOrder {
  readonly from: Named;
  readonly to: Named;
  readonly family?: Family;
  /** The stages whose probes give evidence. */
  readonly stages: readonly Stage[];
  readonly options: RunOptions;
}

/** What is known of a trace's surroundings before packets are sent. */
export interface TraceContext {
  /** With the addresses of one family alone. */
  readonly cluster: Cluster;
  readonly family: Family;
  readonly from: End;
  readonly to: End;
  readonly machines: ReadonlyMap<string, SurveyedMachine>;
  readonly places: readonly Place[];
  readonly runnerOf: (machine: string) => Runner;
  readonly options: RunOptions;
}

/**
 * Looks at the machines of both ends, and at those that their routes name.
 *
 * @throws {EndError} when there is no such end
 * @throws {UnreachableError} when a machine cannot be reached
 * @throws {StepError} when one lacks a program that tracing takes
 */
export async function survey(
  whole: Cluster,
  reach: Reach,
  { from: fromName, to: toName, family: asked, options }: TraceOrder,
): Promise<TraceContext> {
  const family = familyFor(toName, asked, whole);
  const cluster = inFamily(whole, family);
  const runnerOf = (machine: string): Runner => {
    if (machine !== outsideName) return reach.nodeOf(machine);
    if (reach.outside !== undefined) return reach.outside;
    throw new UnreachableError(machine, "no machine of this cluster");
  };
  const lookAt = async (name: string): Promise<SurveyedMachine> => {
    const wanted = {
      family,
      pods: [fromName, toName].flatMap((end) =>
        end.is === "pod" && end.node === name ? [end.pod] : []
      ),
      ...(toName.is === "address" ? { address: toName.address } : {}),
    };
    const { parts, outcome, command } = await askParts(
      runnerOf(name),
      machineSurvey(name, wanted),
      options,
    );
    const address = name === outsideName
      ? cluster.outside.gateway
      : cluster.nodes.find((node) => node.name === name)?.address;
    if (parts !== undefined) return checked(readMachine(name, address, parts));
    const why = "see what is there before the packets are sent";
    throw new CommandError(name, command, outcome, why);
  };
  const look = async (names: readonly string[]) =>
    (await Promise.all(names.map(lookAt)))
      .map((machine) => [machine.name, machine] as const);
  const ends = [machineOf(fromName, cluster), machineOf(toName, cluster)];
  const names = new Set(ends.filter((name) => name !== undefined));
  const first = new Map(await look([...names]));
  const find = (end: Named) =>
    findEnd(end, first.get(machineOf(end, cluster) ?? ""), cluster);
  const [from, to] = [find(fromName), find(toName)];
  checkApart(from, to);
  const between = hopsBetween(from, to, first, cluster)
    .filter((name) => !names.has(name));
  const machines = new Map([...first, ...await look(between)]);
  const places = listeningPlaces(from, to, between);
  return { cluster, family, from, to, machines, places, runnerOf, options };
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
  { nodes, outside, provider }: Cluster,
): readonly string[] {
  const byAddress = new Map(nodes.map(({ name, address }) => [address, name]));
  if (provider === "lab") byAddress.set(outside.gateway, outsideName);
  return [[from, to], [to, from]].flatMap(([near, far]) => {
    const machine = near?.machine && machines.get(near.machine);
    if (!machine || far === undefined) return [];
    const next = longestMatch(machine.routes, far.address)?.gateway;
    return next === undefined ? [] : byAddress.get(next) ?? [];
  });
}
