/** Sending a trace's packets, and what the commands that send them say. */
import {
  cmd,
  type Command,
  ending,
  type Outcome,
  type RunOptions,
  succeeded,
} from "../exec/command.ts";
import { askTogether } from "../node/batch.ts";
import type { Place } from "./endpoints.ts";
import type { Sending } from "./probe_packets.ts";
import type { Runner } from "../node/node.ts";

/** A packet that was sent, before its way is looked at. */
export interface SentPacket {
  readonly sending: Sending;
  readonly outcome: Outcome;
  readonly answered: boolean;
  /** What the command said, in a line. */
  readonly said: string;
}

/** The command that, run on the machine of a place, runs this one in the place. */
export function atPlace(command: Command, { pod }: Place): Command {
  return pod === undefined ? command : {
    ...command,
    argv: ["nsenter", `--net=${pod.sandbox}`, ...command.argv],
  };
}

/**
 * Sends all of them at once.
 *
 * @throws {UnreachableError}
 */
export async function sendAll(
  runner: Runner,
  { pod }: Place,
  probePackets: readonly Sending[],
  options: RunOptions,
): Promise<readonly SentPacket[]> {
  const questions = probePackets.map(({ command }) => ({
    where: runner.name,
    command,
    ...(pod === undefined ? {} : { sandbox: pod.sandbox }),
  }));
  const asked = await askTogether(runner, questions, options);
  return probePackets.flatMap((sending, at): SentPacket[] => {
    const outcome = asked[at]?.outcome;
    if (outcome === undefined) return [];
    const answered = succeeded(outcome);
    return [{ sending, outcome, answered, said: wordsOf(sending, outcome) }];
  });
}

/** What timeout(1) exits with. */
const timedOut = [124, 143];

function wordsOf({ kind }: Sending, outcome: Outcome): string {
  const { code, stdout, stderr } = outcome;
  const all = `${stdout}\n${stderr}`;
  if (kind === "request") {
    if (code !== undefined && timedOut.includes(code)) return "no answer";
    const text = all.trim().replace(/^wget: /, "");
    // The server tells whom it saw, an IPv4 address as one of IPv6 perhaps.
    return text.replace(/^\[(?:::ffff:)?(.*)\]$/, "$1") || ending(outcome);
  }
  if (kind === "connection" || kind === "datagram") {
    if (code === 0) return "answered";
    if (code !== undefined && timedOut.includes(code)) return "no answer";
    const [, why] = /: ([^:\n]+)\n*$/.exec(stderr.trimEnd()) ?? [];
    return why ?? ending(outcome);
  }
  const reply = /^\d+ bytes from .*$/m.exec(all)?.[0];
  const error = /^(?:From .*|ping: .*)$/m.exec(all)?.[0];
  return reply ?? error ?? "no answer";
}

/** Lengths at which paths often end: tunnels, PPPoE, clouds, large frames. */
const usualSizes_bytes = [
  ...[576, 1000, 1200, 1280, 1300, 1350, 1380, 1400, 1420, 1440, 1450, 1460],
  ...[1476, 1480, 1492, 1500, 4000, 8900],
];

/**
 * The lengths to try for the largest that passes.
 *
 * @param size_bytes one that does not pass
 */
export function sizesBelow(size_bytes: number): readonly number[] {
  return usualSizes_bytes.filter((size) => size < size_bytes);
}

/** What is asked of the machines whose links may be too narrow. */
export const linksQuestion: Command = cmd`ip -j addr show`;
