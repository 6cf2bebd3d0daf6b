/** Listening on every machine of a path while the packets are on their way. */
import { segmentsOf } from "../cluster/segments.ts";
import { CommandError, succeeded } from "../exec/command.ts";
import { ifname } from "../cni/runtime.ts";
import {
  type AddressClaim,
  type Claimed,
  claimsOf,
  readWhoHas,
  whoHas,
} from "./duplicate_addresses.ts";
import { askTogether } from "../node/batch.ts";
import { isWhole, parseEvents } from "./nft_events.ts";
import { longestMatch, networkHas } from "../net/route_match.ts";
import type { TraceContext } from "./context.ts";
import { startMonitor, stopMonitor, type Watched } from "./nft_monitor.ts";
import { isSamePlace, networkNamespace, type Place } from "./endpoints.ts";
import { probePackets, type Sending } from "./probe_packets.ts";
import { nodePort } from "../verify/namespace_pods.ts";
import type { FollowedPacket } from "./findings.ts";
import { sendAll, type SentPacket } from "./send_packets.ts";
import { walk } from "./packet_path.ts";
import type { Heard } from "./passages.ts";
import { StepError } from "../stage/errors.ts";

/** What came of the packets, and what was heard of them. */
export interface Listened {
  readonly answers: readonly SentPacket[];
  readonly heard: readonly Heard[];
  readonly claimed: readonly Claimed[];
}

/** What came of several contexts' packets, of each in its turn. */
interface HeardTogether {
  readonly listened: readonly Listened[];
  /** The machines that did not tell all of what they heard. */
  readonly incomplete: ReadonlySet<string>;
}

/**
 * Sends the packets of each context, of all at once, and listens meanwhile.
 * Nothing is left behind, also where it fails or the user interrupts.
 *
 * @throws {UnreachableError} when a machine went away
 * @throws {CommandError} when the kernel does not let us listen
 * @throws {StepError} when the user interrupted
 */
export async function listenAndSend(
  contexts: readonly TraceContext[],
): Promise<HeardTogether> {
  const [{ options, runnerOf } = noContext()] = contexts;
  const planned = contexts.map(packetsOf);
  const watched = contexts.map(({ family }, at): Watched => {
    const own = planned[at] ?? [];
    return {
      family,
      ids: own.flatMap(({ id }) => id ?? []),
      servers: own.flatMap(({ servers = [] }) => servers),
    };
  });
  const byMachine = Map.groupBy(
    distinctPlaces(contexts),
    ({ machine }) => machine,
  );
  // What is begun is ended, also when the user interrupts.
  const { signal, ...always } = options;
  let sent: readonly Omit<Listened, "heard">[];
  const texts: { readonly place: Place; readonly text: string }[] = [];
  const incomplete = new Set<string>();
  const listening: [string, readonly Place[]][] = [];
  try {
    await settled([...byMachine].map(async ([machine, own]) => {
      listening.push([machine, own]);
      const command = startMonitor(watched, own.map(networkNamespace));
      const outcome = await runnerOf(machine).run(command, always);
      if (succeeded(outcome)) return;
      const why = "have the kernel tell of the packets (nftables)";
      const gist = { ...command, argv: ["nft", "-f", "-"] as const };
      throw new CommandError(machine, gist, outcome, why);
    }));
    sent = await Promise.all(
      contexts.map((context, at) => send(context, planned[at] ?? [])),
    );
  } finally {
    await settled(
      listening.map(async ([machine, own]) => {
        const told = await stopMonitor(
          runnerOf(machine),
          own.map(networkNamespace),
          always,
        );
        for (const [at, place] of own.entries()) {
          const text = told[at] ?? "";
          if (!isWhole(text)) incomplete.add(machine);
          texts.push({ place, text });
        }
      }),
    );
  }
  if (signal?.aborted) throw new StepError("the trace was interrupted");
  const listened = sent.map((one, at): Listened => ({
    ...one,
    heard: heardBy(contexts[at], texts),
  }));
  return { listened, incomplete };
}

function noContext(): never {
  throw new TypeError("expected a family at least to trace in");
}

/** The places of all contexts: two families have most of them in common. */
function distinctPlaces(contexts: readonly TraceContext[]): readonly Place[] {
  const all = contexts.flatMap(({ places }) => places);
  return all.filter((place, at) =>
    all.findIndex((other) => isSamePlace(other, place)) === at
  );
}

async function send(
  context: TraceContext,
  planned: readonly Sending[],
): Promise<Omit<Listened, "heard">> {
  const { from, to, family, machines, places, cluster } = context;
  const sender = places[0];
  if (sender === undefined) {
    throw new TypeError("expected the sender as the first place of a path");
  }
  const claims = claimsOf(from, to, machines, cluster, family);
  const runner = context.runnerOf(sender.machine);
  const [answers, claimed] = await Promise.all([
    sendAll(runner, sender, planned, context.options),
    askClaims(claims, context),
  ]);
  return { answers, claimed };
}

/** What was heard at the places of a context, in the order of its way. */
function heardBy(
  context: TraceContext | undefined,
  texts: readonly { readonly place: Place; readonly text: string }[],
): readonly Heard[] {
  return (context?.places ?? []).flatMap((place) => {
    const told = texts.find((one) => isSamePlace(one.place, place));
    if (told === undefined) return [];
    const { aside = false } = place;
    return [{ place, aside, events: parseEvents(told.text) }];
  });
}

/** Waits for all of them, also where one fails: none may begin after its end was told. */
async function settled(jobs: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(jobs)) {
    if (result.status === "rejected") throw result.reason;
  }
}

/** Which machines answer for which address? All at once: each answer is waited for. */
async function askClaims(
  claims: readonly AddressClaim[],
  { runnerOf, options }: TraceContext,
): Promise<readonly Claimed[]> {
  const byMachine = Map.groupBy(claims, ({ place }) => place.machine);
  const found = await Promise.all(
    [...byMachine].map(async ([machine, own]) => {
      const questions = own.map(whoHas);
      const answers = await askTogether(runnerOf(machine), questions, options);
      return own.flatMap((addressClaim, at): Claimed[] => {
        const asked = answers[at];
        return asked === undefined
          ? []
          : [{ ...addressClaim, asked, answered: readWhoHas(asked) }];
      });
    }),
  );
  return found.flat();
}

/** An identifier of echo requests: 16 bits that no other ping is likely to have. */
export function identifier(): number {
  return 1024 + crypto.getRandomValues(new Uint16Array(1))[0]! % 60_000;
}

/** The packets, each with all names that its receiver has on the way. */
function packetsOf(context: TraceContext): readonly Sending[] {
  const { called, to, family, call, lastPort } = context;
  const server = serverAt(context);
  return probePackets({
    address: called.address,
    ...(server === undefined ? {} : { server }),
    ...(call === undefined ? {} : { call }),
    family,
    mtu: mtuOf(context),
    ids: [identifier(), identifier()],
  }).map((sending): Sending => {
    const [first] = sending.servers ?? [];
    if (first === undefined || called.address === to.address) return sending;
    const last = {
      ...first,
      address: to.address,
      port: lastPort ?? first.port,
    };
    return { ...sending, servers: [first, last] };
  });
}

/** The port of a server of stage 09 that answers under the name that is called. */
function serverAt(
  { called, machines }: TraceContext,
): number | undefined {
  if (called.pod !== undefined) return called.pod.serving ? 80 : undefined;
  const own = called.machine === undefined
    ? undefined
    : machines.get(called.machine);
  return own?.serving === true ? nodePort : undefined;
}

/** The MTU of the link by which the sender sends. */
function mtuOf({ from, to, machines }: TraceContext): number {
  const machine = from.machine && machines.get(from.machine);
  const links = from.pod?.links ?? (machine ? machine.links : []);
  const routes = from.pod?.routes ?? (machine ? machine.routes : []);
  const dev = longestMatch(routes, to.address)?.dev ?? ifname;
  const mtu = links.find(({ ifname }) => ifname === dev)?.mtu ?? 1500;
  return Math.min(mtu, 9000);
}

/** Where a packet went, and its answer. */
export function follow(
  answer: SentPacket,
  heard: readonly Heard[],
  { to, cluster }: TraceContext,
): FollowedPacket {
  const { sending, answered } = answer;
  // What answers on the segment may be a machine that is not known; what does not is not there.
  const isNear = segmentsOf(cluster).flatMap(({ cidrs }) => cidrs)
    .some((cidr) => networkHas(cidr, to.address));
  const open = to.machine === undefined && (answered || !isNear);
  const there = walk(heard, { sending, direction: "there" }, {
    begin: false,
    end: open,
  });
  const back = there.stop !== undefined
    ? { passages: [] }
    : walk(heard.toReversed(), { sending, direction: "back" }, {
      begin: open,
      end: false,
    });
  return { ...answer, there, back };
}
