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
import { type ListeningPlace, networkNamespace } from "./endpoints.ts";
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
  /** The machines that did not tell all of what they heard. */
  readonly incomplete: ReadonlySet<string>;
}

/**
 * Sends the packets, and listens meanwhile. Nothing is left behind, also where
 * it fails or the user interrupts.
 *
 * @throws {UnreachableError} when a machine went away
 * @throws {CommandError} when the kernel does not let us listen
 * @throws {StepError} when the user interrupted
 */
export async function listenAndSend(context: TraceContext): Promise<Listened> {
  const { from, to, family, machines, places, options, runnerOf } = context;
  const planned = packetsOf(context);
  const watched: Watched = {
    family,
    ids: planned.flatMap(({ id }) => id ?? []),
    servers: planned.flatMap(({ servers = [] }) => servers),
  };
  const byMachine = Map.groupBy(places, ({ machine }) => machine);
  const sender = places[0];
  if (sender === undefined) throw new TypeError("a sender");
  const claims = claimsOf(from, to, machines, context.cluster, family);
  // What is begun is ended, also when the user interrupts.
  const { signal, ...always } = options;
  let answers: readonly SentPacket[];
  let claimed: readonly Claimed[];
  const heard: Heard[] = [];
  const incomplete = new Set<string>();
  const listening: [string, readonly ListeningPlace[]][] = [];
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
    [answers, claimed] = await Promise.all([
      sendAll(runnerOf(sender.machine), sender, planned, options),
      askClaims(claims, context),
    ]);
  } finally {
    await settled(
      listening.map(async ([machine, own]) => {
        const texts = await stopMonitor(
          runnerOf(machine),
          own.map(networkNamespace),
          always,
        );
        for (const [at, place] of own.entries()) {
          const text = texts[at] ?? "";
          if (!isWhole(text)) incomplete.add(machine);
          const { aside = false } = place;
          heard.push({ place, aside, events: parseEvents(text) });
        }
      }),
    );
  }
  if (signal?.aborted) throw new StepError("the trace was interrupted");
  const ordered = places.flatMap((place) =>
    heard.find((one) => one.place === place) ?? []
  );
  return { answers, heard: ordered, claimed, incomplete };
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
