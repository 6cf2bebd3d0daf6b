/**
 * Removals of links that are under way. The kernel makes a process that removes a
 * link wait until no processor can be using it, 15 ms and more, though the
 * link is gone at once. So a removal runs in a thread of its own, and its jobs end
 * when the kernel tells that their links are gone. The kernel still frees their
 * memory while the next removal begins.
 */

import { sendLater } from "../linux/later.ts";
import { receive } from "../linux/netlink_socket.ts";
import { POLL, poll } from "../linux/pipes.ts";
import { openLinkEvents } from "../netlink/link_events.ts";
import { decode, encode, type Request } from "../netlink/netlink.ts";
import { type Kernel, link, openKernel } from "../netlink/rtnetlink.ts";

/** What waits for a link to go. */
interface Waiting {
  readonly link: { readonly index: number };
}

interface Removal<Job> {
  readonly remover: Kernel;
  /** Whose links are not known to be gone. */
  left: readonly Job[];
  readonly until_ms: number;
  /** Whether the kernel has done it; undefined while it has not answered. */
  removed?: boolean | undefined;
}

/** The acknowledgement is late beyond this only when it got lost. */
const patience_ms = 10_000;

/** How many may be under way, most of them only having memory freed. */
const most = 4;

interface Removals<Job> {
  /** Whether another may begin: the links of those under way are gone. */
  ready(): boolean;
  /** Begins one, which removes the links of the jobs. */
  begin(request: Request, jobs: readonly Job[]): void;
  /** Where the kernel tells of them, while any is under way. */
  waiting(): { descriptors: number[]; until_ms: number } | undefined;
  /** Takes what the kernel has told. */
  hear(): Heard<Job>;
  /** Whether any is under way. */
  busy(): boolean;
}

/** A job that has come to its end, and whether its link is gone. */
export interface Ended<Job> {
  readonly job: Job;
  readonly removed: boolean;
}

interface Heard<Job> {
  readonly ended: readonly Ended<Job>[];
  /** The kernel has done with a removal, and its thread ends. */
  readonly threadEnds: boolean;
}

/** Must be called in the node's own network namespace. */
export function openRemovals<Job extends Waiting>(): Removals<Job> {
  const events = openLinkEvents();
  const asker = openKernel();
  const idle = Array.from({ length: most }, openKernel);
  let underWay: Removal<Job>[] = [];

  function hear(): Heard<Job> {
    if (underWay.length === 0) return { ended: [], threadEnds: false };
    const indexes = new Set(events.gone());
    // The kernel takes one lock for this question and for a removal's last traces, in sysfs.
    if (indexes.size > 0) link(asker, 1);
    const gone = underWay.flatMap((removal) => takeGone(removal, indexes));
    const done = underWay.filter(isDone);
    underWay = underWay.filter((removal) => !done.includes(removal));
    idle.push(...done.map(({ remover }) => remover));
    if (underWay.length === 0) events.listen(false);
    const rest = done.flatMap(({ left, removed = false }) =>
      left.map((job) => ({ job, removed }))
    );
    return { ended: [...gone, ...rest], threadEnds: done.length > 0 };
  }

  return {
    ready: () => idle.length > 0 && underWay.every(({ left }) => !left.length),
    begin(request, jobs) {
      const remover = idle.pop()!;
      if (underWay.length === 0) events.listen(true);
      const until_ms = performance.now() + patience_ms;
      underWay.push({ remover, left: jobs, until_ms });
      // A copy: the thread reads it while other messages are made.
      const datagram = encode([request], remover.sequence).slice();
      sendLater(remover.socket, datagram);
    },
    waiting() {
      if (underWay.length === 0) return undefined;
      const sockets = underWay.map(({ remover }) => remover.socket);
      return {
        descriptors: [events.descriptor, ...sockets],
        until_ms: Math.min(...underWay.map(({ until_ms }) => until_ms)),
      };
    },
    hear,
    busy: () => underWay.length > 0,
  };
}

/** The jobs of a removal whose links are gone; it has the others left. */
function takeGone<Job extends Waiting>(
  removal: Removal<Job>,
  indexes: ReadonlySet<number>,
): Ended<Job>[] {
  const isGone = (job: Job) => indexes.has(job.link.index);
  const gone = removal.left.filter(isGone);
  removal.left = removal.left.filter((job) => !isGone(job));
  return gone.map((job) => ({ job, removed: true }));
}

/** Notes what the kernel says of a removal; true where it has said it, or is too late. */
function isDone<Job>(removal: Removal<Job>): boolean {
  const { remover, until_ms } = removal;
  removal.removed = outcome(remover);
  if (removal.removed === undefined && performance.now() < until_ms) {
    return false;
  }
  remover.sequence++;
  return true;
}

/** Whether the kernel has done what it was last sent; undefined while it has not answered. */
function outcome({ socket, sequence }: Kernel): boolean | undefined {
  while (poll([{ descriptor: socket, events: POLL.IN }], 0)[0] !== 0) {
    for (const reply of decode(receive(socket))) {
      if (reply.sequence === sequence) return reply.kind === "ack";
    }
  }
  return undefined;
}
