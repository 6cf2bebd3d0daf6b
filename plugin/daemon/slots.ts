/**
 * The slots: in each at most one launcher, from its claim until its own caller
 * has been told.
 */

import { close } from "../linux/libc.ts";
import { identityOf, putAll } from "../linux/pipes.ts";
import { encoder } from "../linux/utf8.ts";
import { type Caller, closeCaller } from "./caller.ts";
import {
  type Claim,
  claims,
  type Folder,
  freeSlot,
  freshReply,
  type Reply,
  slots,
} from "./folder.ts";

/** What a slot's launcher is at. */
type State =
  | { readonly kind: "free" }
  /** Its input has not all come. */
  | { readonly kind: "reading"; caller: Caller; until_ms: number }
  /** Its link is being removed. */
  | { readonly kind: "deleting"; pid: number }
  /** It has been answered, and has not said that its own caller knows. */
  | { readonly kind: "answered"; pid: number; undo: () => void };

export interface Slot {
  readonly number: number;
  readonly folder: Folder;
  reply: Reply;
  state: State;
}

const free: State = { kind: "free" };

/** Makes all of a daemon's. */
export function openSlots(folder: Folder): Slot[] {
  return Array.from({ length: slots }, (_, number) => ({
    number,
    folder,
    reply: freshReply(folder, number),
    state: free,
  }));
}

/**
 * Answers a slot's launcher.
 * @param lines what launcher.sh understands
 * @param undo what to do when the launcher ends and has not said that its own caller knows
 */
export function tell(
  slot: Slot,
  pid: number,
  lines: readonly string[],
  undo: () => void,
): void {
  slot.state = { kind: "answered", pid, undo };
  const text = encoder.encode(lines.map((line) => `${line}\n`).join(""));
  if (!putAll(slot.reply.descriptor, text)) lost(slot);
}

/** The launcher's caller knows. */
export function acknowledged(slot: Slot, pid: number): void {
  if (slot.state.kind !== "answered" || slot.state.pid !== pid) return;
  slot.state = free;
  freeSlot(slot.folder, slot.number);
}

/** The launcher has ended, and its caller does not know. */
export function lost(slot: Slot): void {
  if (slot.state.kind !== "answered") return;
  slot.state.undo();
  renew(slot);
}

/** A launcher has ended before it could be looked at. */
export function abandoned(slot: Slot, pid: number): void {
  if (claims(slot.folder).get(slot.number)?.pid === `${pid}`) renew(slot);
}

/** Frees the slots of launchers that ended before they said that they were there. */
export function sweep(all: readonly Slot[], folder: Folder): void {
  for (const [at, claim] of claims(folder)) {
    const slot = all[at];
    if (slot?.state.kind === "free" && !isHeld(claim)) renew(slot);
  }
}

/** Whether a launcher is there that has not gone its way. */
export function anyClaimed(folder: Folder): boolean {
  return [...claims(folder).values()].some(isHeld);
}

/** A launcher writes its claim at once, unless the disk is full; then it goes on without. */
const written_ms = 2_000;

function isHeld({ pid, age_ms }: Claim): boolean {
  if (pid !== "") return identityOf(`/proc/${pid}`) !== "";
  return age_ms >= 0 && age_ms < written_ms;
}

/** Frees a slot with a pipe of its own: in the old one may lie what was not read. */
function renew(slot: Slot): void {
  if (slot.state.kind === "reading") closeCaller(slot.state.caller);
  close(slot.reply.descriptor);
  slot.reply = freshReply(slot.folder, slot.number);
  slot.state = free;
  freeSlot(slot.folder, slot.number);
}
