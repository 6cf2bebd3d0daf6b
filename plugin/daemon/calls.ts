/** One call after the other: read from its launcher, made, answered. */

import { attachmentOf } from "../attach.ts";
import { type Answer, perform, prepare, type Prepared } from "../call.ts";
import { point } from "../linux/failpoint.ts";
import { close, closeLeftOpen, identity, openFile } from "../linux/libc.ts";
import { closeCaller, inputOf, openCaller } from "./caller.ts";
import type { Deletes } from "./deletes.ts";
import { markBegun } from "./folder.ts";
import { abandoned, type Slot, tell } from "./slots.ts";
import { whyNot } from "./suitable.ts";

/** What calls are made with. */
export interface Means {
  readonly deletes: Deletes;
  /** A pipe to look into others through. */
  readonly through: { reading: number; writing: number };
  /** The daemon's own network namespace. */
  readonly home: string;
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
  read(slot, means);
}

/** Goes on with a slot's launcher, if one is there that is waiting for its input. */
export function read(slot: Slot, means: Means): void {
  if (slot.state.kind !== "reading") return;
  const { caller, until_ms } = slot.state;
  const input = inputOf(caller, means.through);
  if (input === "incomplete" && performance.now() < until_ms) return;
  closeCaller(caller);
  const { pid } = caller;
  if (typeof input === "string" || caller.unlike) return giveBack(slot, pid);
  const prepared = prepare(caller.env, () => input.text);
  if ("exit" in prepared) return reply(slot, pid, prepared);
  if (whyNot(prepared) !== undefined) return giveBack(slot, pid);
  make(slot, pid, prepared, means);
}

function make(slot: Slot, pid: number, prepared: Prepared, means: Means): void {
  const { command } = prepared.call;
  if (command === "DEL") {
    slot.state = { kind: "deleting", pid };
    remove(prepared, means, (answer) => reply(slot, pid, answer));
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
  reply(slot, pid, answer, made ? undo : undefined);
}

function remove(
  prepared: Prepared,
  { deletes }: Means,
  done: (answer: Answer) => void,
): void {
  const { call, config } = prepared;
  if (!("containerID" in call)) return;
  const attachment = attachmentOf(call, config);
  deletes.add({ prepared, attachment, path: call.path, done });
}

function reply(
  slot: Slot,
  pid: number,
  { stderr, exit, stdout }: Answer,
  undo = () => {},
): void {
  const said = stderr.flatMap((text) => text.split("\n"));
  tell(
    slot,
    pid,
    [...said.map((line) => `err ${line}`), `${exit} ${stdout}`],
    undo,
  );
  point("daemon: answered");
}

/** Has the launcher go the slow way; its input is as it was. */
function giveBack(slot: Slot, pid: number): void {
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
