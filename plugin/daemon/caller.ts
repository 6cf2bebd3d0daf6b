/**
 * The process of a launcher, seen from outside: its environment and its stdin.
 *
 * /proc/PID is opened once and then stands for that very process: when it ends,
 * nothing more is found there, whatever its number is given to.
 */

import type { Environment } from "../cni/environment.ts";
import { readAll } from "../linux/files.ts";
import { close, SystemError } from "../linux/libc.ts";
import {
  fillOf,
  identityAt,
  openAt,
  openPlace,
  peek,
  POLL,
  poll,
} from "../linux/pipes.ts";
import { decodeUtf8 } from "../linux/utf8.ts";

/**
 * Where a launcher keeps its stdin and the pipe of its answer, whatever its shell
 * does with the first numbers.
 */
const stdinAt = 3;
const replyAt = 5;

/** A larger input is not taken: the answer must fit into a pipe. */
const longestInput = 16_384;

export interface Caller {
  readonly pid: number;
  /** Its stdin, for looking into it. */
  readonly stdin: number;
  readonly env: Environment;
  /** Alone it would not come to the same: it has other rights, or a variable that is no text. */
  readonly unlike: boolean;
}

/**
 * Opens what is needed of a launcher.
 * @param reply the identity of the pipe that it must be waiting at
 * @returns undefined when the process is not that launcher (any more)
 */
export function openCaller(pid: number, reply: string): Caller | undefined {
  const place = openPlace(`/proc/${pid}`);
  if (place < 0) return undefined;
  try {
    if (identityAt(place, `fd/${replyAt}`) !== reply) return undefined;
    const { env, garbled } = environmentOf(readAt(place, "environ"));
    const unlike = garbled || !mayAll(rightsOf(place));
    return { pid, stdin: openAt(place, `fd/${stdinAt}`), env, unlike };
  } catch (error) {
    if (error instanceof SystemError) return undefined; // It has ended meanwhile.
    throw error;
  } finally {
    close(place);
  }
}

function readAt(place: number, file: string): string {
  const descriptor = openAt(place, file);
  try {
    return decodeUtf8(readAll(descriptor, file));
  } finally {
    close(descriptor);
  }
}

/** A process's user, privileges and umask; proc(5), `status`. */
interface Rights {
  /** All user and group IDs, and the umask: to be the same. */
  readonly identity: string;
  readonly capabilities: bigint;
  /** Whether system calls are kept from it. */
  readonly filtered: boolean;
}

function rightsOf(process: number): Rights {
  const status = readAt(process, "status");
  const of = (key: string) =>
    new RegExp(`^${key}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
  return {
    identity: [of("Uid"), of("Gid"), of("Umask")].join(" "),
    capabilities: BigInt(`0x${of("CapEff") || "0"}`),
    filtered: of("Seccomp") !== "0",
  };
}

let own: Rights | undefined;

/** Whether a launcher could do all that this process can: it must not get more done by it. */
function mayAll(launcher: Rights): boolean {
  own ??= ownRights();
  return launcher.identity === own.identity &&
    (own.capabilities & ~launcher.capabilities) === 0n &&
    (own.filtered || !launcher.filtered);
}

function ownRights(): Rights {
  const place = openPlace(`/proc/${Deno.pid}`);
  try {
    return rightsOf(place);
  } finally {
    close(place);
  }
}

function environmentOf(
  text: string,
): { env: Environment; garbled: boolean } {
  const variables = new Map<string, string>();
  for (const entry of text.split("\0")) {
    if (!entry.startsWith("CNI_")) continue;
    const equals = entry.indexOf("=");
    const name = entry.slice(0, equals);
    // As getenv(3): the first one counts.
    if (!variables.has(name)) variables.set(name, entry.slice(equals + 1));
  }
  const garbled = [...variables.values()].some((value) =>
    value.includes("\ufffd")
  );
  return { env: (name) => variables.get(name), garbled };
}

export function closeCaller({ stdin }: Caller): void {
  close(stdin);
}

/** A launcher's input: the whole text; it has not all come yet; it is longer than is taken. */
type Input = { text: string } | "incomplete" | "too long";

/**
 * Looks at a launcher's stdin and leaves it as it is, so that the launcher can
 * still go the slow way with it.
 */
export function inputOf(
  { stdin }: Caller,
  through: { reading: number; writing: number },
): Input {
  const [seen = 0] = poll([{ descriptor: stdin, events: 0 }], 0);
  const fill = fillOf(stdin);
  if (fill > longestInput) return "too long";
  // Its last writer has closed it.
  if ((seen & POLL.HUP) === 0) return "incomplete";
  return { text: decodeUtf8(peek(stdin, fill, through)) };
}
