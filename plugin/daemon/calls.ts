/** One call after the other: read from its launcher, made, answered. */

import {
  type CallAnswer,
  perform,
  prepare,
  type PreparedCall,
} from "../call.ts";
import type { Environment } from "../cni/environment.ts";
import { type Log, writeLog } from "../log.ts";
import { countCall, countGivenBack, type Figures } from "./figures.ts";
import { point } from "../linux/failpoint.ts";
import { close, closeLeftOpen, identity, openFile } from "../linux/libc.ts";
import { attachmentOf } from "../veth.ts";
import { closeCaller, inputOf, openCaller } from "./caller.ts";
import type { Deletes } from "./deletes.ts";
import { markBegun } from "./folder.ts";
import { abandoned, type Slot, tell } from "./slots.ts";
import { type Reason, reasonToGiveBack } from "./suitable.ts";

/** What calls are made with. */
export interface Means {
  readonly deletes: Deletes;
  /** A pipe to look into others through. */
  readonly through: { reading: number; writing: number };
  /** The daemon's own network namespace. */
  readonly home: string;
  readonly figures: Figures;
}

/** A call whose input is read. */
interface Taken {
  readonly slot: Slot;
  readonly pid: number;
  readonly env: Environment;
  readonly log: Log | undefined;
  readonly began_ms: number;
}

/** An input that has not all come by then is read by the launcher's own plugin. */
const input_ms = 200;

/** A launcher has said that it is there. */
export function accept(slot: Slot, pid: number, means: Means): void {
  if (slot.state.kind !== "free") return;
  point("daemon: called");
  const caller = openCaller(pid, slot.reply.identity);
  if (caller === undefined) return abandoned(slot, pid);
  const until_ms = performance.now() + input_ms;
  slot.state = { kind: "reading", caller, until_ms };
  readInput(slot, means);
}

/** Goes on with a slot's launcher, if one is there that is waiting for its input. */
export function readInput(slot: Slot, means: Means): void {
  if (slot.state.kind !== "reading") return;
  const { caller, until_ms } = slot.state;
  const input = inputOf(caller, means.through);
  if (input === "incomplete" && performance.now() < until_ms) return;
  closeCaller(caller);
  const { pid, env } = caller;
  const unable = caller.unlike
    ? "rights"
    : typeof input === "string"
    ? "input"
    : undefined;
  if (unable !== undefined) return giveBack(slot, pid, unable, means);
  const text = (input as { text: string }).text;
  const began_ms = until_ms - input_ms;
  const { next, log } = prepare(env, () => text);
  const taken = { slot, pid, env, log, began_ms };
  if ("exit" in next) return reply(taken, next, means);
  const reason = reasonToGiveBack(next);
  if (reason !== undefined) return giveBack(slot, pid, reason, means);
  make(taken, next, means);
}

function make(taken: Taken, prepared: PreparedCall, means: Means): void {
  const { slot, pid } = taken;
  const { command } = prepared.call;
  if (command === "DEL") {
    slot.state = { kind: "deleting", pid };
    remove(prepared, means, (answer) => reply(taken, answer, means));
    return;
  }
  if (command === "ADD") markBegun(slot.folder, slot.number);
  point("daemon: begun");
  const answer = perform(prepared);
  closeLeftOpen();
  if (answer.exit !== 0 && ownNetwork() !== means.home) {
    throw new Error("the way back from a pod's network namespace failed");
  }
  point("daemon: made");
  const made = command === "ADD" && answer.exit === 0;
  const undo = () => remove(prepared, means, () => {});
  reply(taken, answer, means, made ? undo : undefined);
}

function remove(
  prepared: PreparedCall,
  { deletes }: Means,
  done: (answer: CallAnswer) => void,
): void {
  const { call, network } = prepared;
  if (!("containerID" in call)) return;
  const attachment = attachmentOf(call, network);
  deletes.add({ prepared, attachment, path: call.path, done });
}

function reply(
  { slot, pid, env, log, began_ms }: Taken,
  answer: CallAnswer,
  { figures }: Means,
  undo = () => {},
): void {
  const { stderr, exit, stdout, code } = answer;
  const said = stderr.flatMap((text) => text.split("\n"));
  const lines = [...said.map((line) => `err ${line}`), `${exit} ${stdout}`];
  tell(slot, pid, lines, undo);
  point("daemon: answered");
  const took_ms = performance.now() - began_ms;
  countCall(figures, env("CNI_COMMAND") ?? "", code, took_ms);
  if (log !== undefined) writeLog(log, env, answer, took_ms);
}

/** Has the launcher go the slow way; its input is as it was. */
function giveBack(
  slot: Slot,
  pid: number,
  reason: Reason,
  { figures }: Means,
): void {
  countGivenBack(figures, reason);
  tell(slot, pid, ["cold"], () => {});
}

/** This thread's network namespace, as a text to compare. */
export function ownNetwork(): string {
  const descriptor = openFile("/proc/thread-self/ns/net");
  try {
    return identity(descriptor);
  } finally {
    close(descriptor);
  }
}
