/**
 * DELs that are under way. The kernel makes a process that removes a link wait until
 * no processor can be using it, 15 ms and more, and links that are removed by
 * one message wait together. So what comes while a removal is under way is
 * gathered for the next one, and the removal runs in a thread of its own: no
 * other call waits for it. Their leases are given back a few at a time, so that
 * a call that comes meanwhile has its turn, too.
 */

import { answerTo, type CallAnswer, type PreparedCall } from "../call.ts";
import { release } from "../detach.ts";
import { findVeth, removeLink } from "../host_veth.ts";
import { point } from "../linux/failpoint.ts";
import { sendLater } from "../linux/later.ts";
import { closeLeftOpen, receive } from "../linux/libc.ts";
import { POLL, poll } from "../linux/pipes.ts";
import {
  deleteGroup,
  deleteLink,
  type Link,
  setGroup,
} from "../netlink/links.ts";
import { decode, encode, type Request } from "../netlink/netlink.ts";
import {
  change,
  groups,
  type Kernel,
  openKernel,
} from "../netlink/rtnetlink.ts";
import type { Attachment } from "../veth.ts";

/** One DEL. */
interface Delete {
  readonly prepared: PreparedCall;
  readonly attachment: Attachment;
  /** CNI_PATH. */
  readonly path: string;
  /** What it came to. */
  done(answer: CallAnswer): void;
}

interface Going extends Delete {
  readonly link: Link;
}

/** The answer of the kernel is late beyond this only when it got lost. */
const patience_ms = 10_000;

/** How long other calls may have to wait for DELs that are being finished. */
const slice_ms = 2;

export interface Deletes {
  /** Queues one. */
  add(job: Delete): void;
  /** Begins the next removal, unless one is under way. */
  begin(): void;
  /** Where the kernel answers, while a removal is under way. */
  waiting(): { descriptor: number; until_ms: number } | undefined;
  /** Ends the removal whose answer has come, or is too late; false where there is none. */
  end(): boolean;
  /** Finishes some whose links are gone; true while there are more. */
  finishSome(): boolean;
  /** Whether anything is queued or under way. */
  busy(): boolean;
}

/** Must be called in the node's own network namespace. */
export function openDeletes(): Deletes {
  const kernel = openKernel();
  // One of its own, for it is in use by another thread.
  const remover = openKernel();
  let queue: Delete[] = [];
  let going: { jobs: Going[]; until_ms: number } | undefined;
  const ended: { readonly job: Going; readonly removed: boolean }[] = [];

  function begin(): void {
    while (going === undefined && queue.length > 0) {
      const jobs = queue;
      queue = [];
      const found = jobs.flatMap((job) => locate(kernel, job));
      if (found.length === 0) continue;
      const request = found.length === 1
        ? deleteLink(found[0]!.link.index)
        : deleteGroup(gather(kernel, found));
      going = { jobs: found, until_ms: performance.now() + patience_ms };
      send(remover, request);
    }
  }

  return {
    add: (job) => void queue.push(job),
    begin,
    waiting: () =>
      going && { descriptor: remover.socket, until_ms: going.until_ms },
    end() {
      if (going === undefined) return false;
      const { jobs, until_ms } = going;
      const [told] = poll([{ descriptor: remover.socket, events: POLL.IN }], 0);
      if (told === 0 && performance.now() < until_ms) return false;
      const removed = told !== 0 && succeeded(remover);
      going = undefined;
      ended.push(...jobs.map((job) => ({ job, removed })));
      return true;
    },
    finishSome() {
      const until_ms = performance.now() + slice_ms;
      while (ended.length > 0 && performance.now() < until_ms) {
        const { job, removed } = ended.shift()!;
        finish(job, () => {
          // One by one where it did not go together: so each gets its own error.
          if (!removed) removeLink(kernel, job.link);
        });
      }
      return ended.length > 0;
    },
    busy: () => going !== undefined || queue.length > 0 || ended.length > 0,
  };
}

/** The DEL with its veth; answered already where there is none. */
function locate(kernel: Kernel, job: Delete): Going[] {
  let link: Link | undefined;
  const looked = answerTo(job.prepared, () => {
    link = findVeth(kernel, job.attachment);
    return undefined;
  });
  if (looked.exit !== 0) job.done(looked);
  else if (link === undefined) finish(job, () => {});
  else return [{ ...job, link }];
  return [];
}

/** Puts the veths into a group that no other link is in. */
function gather(kernel: Kernel, jobs: readonly Going[]): number {
  const taken = groups(kernel);
  let group = 0;
  while (group === 0 || taken.has(group)) {
    group = crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1;
  }
  for (const { link } of jobs) {
    try {
      change(
        kernel,
        `put ${link.name} into group ${group}`,
        setGroup(link.index, group),
      );
    } catch {
      // It has gone with its pod, or end() will say why it cannot be removed.
    }
  }
  return group;
}

function send(remover: Kernel, request: Request): void {
  // A copy: the thread reads it while other messages are made.
  const datagram = encode([request], remover.sequence).slice();
  sendLater(remover.socket, datagram);
}

/** Whether the kernel has done what it was last sent. */
function succeeded(remover: Kernel): boolean {
  const wanted = remover.sequence++;
  for (const reply of decode(receive(remover.socket))) {
    if (reply.sequence === wanted) return reply.kind === "ack";
  }
  return false;
}

function finish(job: Delete, remove: () => void): void {
  const { network, warn } = job.prepared;
  const answer = answerTo(job.prepared, () => {
    remove();
    point("del: veth removed");
    release(network, job.attachment, job.path, warn);
    return undefined;
  });
  closeLeftOpen();
  job.done(answer);
}
