/**
 * DELs that are under way. Links that are removed by one message wait together. So
 * what comes while links are being removed is gathered for the next message. Their
 * leases are given back a few at a time, so that a call that comes meanwhile has
 * its turn, too.
 */

import { answerTo, type CallAnswer, type PreparedCall } from "../call.ts";
import { release } from "../detach.ts";
import { findVeth, removeLink } from "../host_veth.ts";
import { point } from "../linux/failpoint.ts";
import { closeLeftOpen } from "../linux/libc.ts";
import {
  deleteGroup,
  deleteLink,
  type Link,
  setGroup,
} from "../netlink/links.ts";
import {
  change,
  groups,
  type Kernel,
  openKernel,
} from "../netlink/rtnetlink.ts";
import type { Attachment } from "../veth.ts";
import { type Ended, openRemovals } from "./removals.ts";

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

/** How long other calls may have to wait for DELs that are being finished. */
const slice_ms = 2;

export interface Deletes {
  /** Queues one. */
  add(job: Delete): void;
  /** Begins the next removal, unless links are being removed. */
  begin(): void;
  /** Where the kernel tells of them, while a removal is under way. */
  waiting(): { descriptors: number[]; until_ms: number } | undefined;
  /** Takes what the kernel has told; true where a thread comes to its end by it. */
  hear(): boolean;
  /** Finishes some whose links are gone; true while there are more. */
  finishSome(): boolean;
  /** Whether anything is queued or under way. */
  busy(): boolean;
}

/** Must be called in the node's own network namespace. */
export function openDeletes(): Deletes {
  const kernel = openKernel();
  const removals = openRemovals<Going>();
  let queue: Delete[] = [];
  const ended: Ended<Going>[] = [];

  function begin(): void {
    while (queue.length > 0 && removals.ready()) {
      const jobs = queue;
      queue = [];
      const found = jobs.flatMap((job) => locate(kernel, job));
      if (found.length === 0) continue;
      const request = found.length === 1
        ? deleteLink(found[0]!.link.index)
        : deleteGroup(gather(kernel, found));
      removals.begin(request, found);
    }
  }

  return {
    add: (job) => void queue.push(job),
    begin,
    waiting: removals.waiting,
    hear() {
      const heard = removals.hear();
      ended.push(...heard.ended);
      return heard.threadEnds;
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
    busy: () => removals.busy() || queue.length > 0 || ended.length > 0,
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
      // It has gone with its pod, or the removal will say why it cannot be removed.
    }
  }
  return group;
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
