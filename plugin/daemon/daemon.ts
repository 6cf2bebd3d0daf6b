/**
 * The process that stays: takes calls from launchers and answers them as a
 * process of their own would. README.md tells the protocol.
 *
 * It waits in poll(2), not in Deno's event loop: entering a pod's namespace
 * demands that nothing else runs meanwhile, and an idle daemon takes no time.
 */

import type { Warn } from "../detach.ts";
import { removeFolder } from "../linux/files.ts";
import { keepLeftOpen } from "../linux/libc.ts";
import {
  ownPipe,
  POLL,
  poll,
  type PollEntry,
  putAll,
  take,
} from "../linux/pipes.ts";
import { decodeUtf8, encoder } from "../linux/utf8.ts";
import { accept, type Means, ownNetwork, readInput } from "./calls.ts";
import { openDeletes } from "./deletes.ts";
import {
  daemonFolder,
  type Folder,
  makeFolder,
  publish,
  tellToStop,
  withdraw,
} from "./folder.ts";
import { figuresText, newFigures } from "./figures.ts";
import { leasesText } from "./lease_figures.ts";
import {
  acknowledged,
  anyClaimed,
  lost,
  openSlots,
  type Slot,
  sweep,
} from "./slots.ts";
import { startWatchdog } from "./watchdog.ts";

export interface DaemonOptions {
  /** Of the launchers that it answers. */
  readonly version: string;
  /** How long it may give no sign of life; twice that at most. */
  readonly stuck_s: number;
  /** Where node_exporter's textfile collector reads; its name ends with .prom. */
  readonly textfile?: string;
}

interface Daemon {
  readonly options: DaemonOptions;
  readonly folder: Folder;
  readonly slots: readonly Slot[];
  readonly means: Means;
  /** What was heard of a line that is not whole. */
  rest: string;
  /** Since the heap was last tidied up. */
  calls: number;
  /** When the text file is to be written; Infinity while it says what is so. */
  textfile_ms: number;
  /** Infinity unless it was told to stop. */
  stopping_until_ms: number;
}

/** When told to stop: for launchers that are about to call. */
const stopping_ms = 5_000;

/**
 * Runs until it is told to stop.
 * @param warn for the journal
 */
export async function runDaemon(
  options: DaemonOptions,
  warn: Warn,
): Promise<void> {
  const folder = makeFolder(daemonFolder);
  const daemon: Daemon = {
    options,
    folder,
    slots: openSlots(folder),
    means: {
      deletes: openDeletes(),
      through: ownPipe(),
      home: ownNetwork(),
      figures: newFigures(Date.now() / 1000),
    },
    rest: "",
    calls: 0,
    textfile_ms: options.textfile === undefined ? Infinity : 0,
    stopping_until_ms: Infinity,
  };
  keepLeftOpen();
  watch(daemon);
  const before = publish(folder, options.version);
  if (before !== undefined) tellToStop(before);
  warn(
    `process ${Deno.pid} serves version ${options.version} at ${folder.path}`,
  );
  const { slots, means } = daemon;
  let unfinished = false;
  while (!hasStopped(daemon)) {
    const { watched, then, until_ms } = waits(daemon);
    const wait_ms = unfinished ? 0 : until_ms - performance.now();
    const happened = poll(watched, wait_ms);
    // Before all else: a launcher says that all is well before it ends.
    hear(daemon);
    for (const [i, what] of happened.entries()) if (what !== 0) then[i]!();
    for (const slot of slots) readInput(slot, means);
    const threadEnds = means.deletes.hear();
    means.deletes.begin();
    unfinished = means.deletes.finishSome();
    if (threadEnds) await turn();
    tidyUp(daemon);
    exportFigures(daemon, warn);
  }
  removeFolder(folder.path);
}

/** Reads all that launchers have said. */
function hear(daemon: Daemon): void {
  for (;;) {
    const bytes = take(daemon.folder.call);
    if (bytes.length === 0) return;
    const lines = (daemon.rest + decodeUtf8(bytes)).split("\n");
    daemon.rest = lines.pop()!;
    for (const line of lines) heard(daemon, line);
  }
}

function heard(daemon: Daemon, line: string): void {
  const { folder, slots, means, options } = daemon;
  const [first = "", pid = "", word] = line.split(" ");
  const slot = slots[Number(first)];
  if (first === "alive") putAll(folder.watch, encoder.encode("alive\n"));
  else if (first === "full") sweep(slots, folder);
  else if (first === "stop") {
    withdraw(folder, options.version);
    daemon.stopping_until_ms = performance.now() + stopping_ms;
  } else if (slot === undefined) return;
  else if (word === "done") acknowledged(slot, Number(pid));
  else if (word === "metrics") {
    writeText(`${folder.path}/metrics`, figuresOf(means));
  } else {
    daemon.calls++;
    if (options.textfile !== undefined && daemon.textfile_ms === Infinity) {
      daemon.textfile_ms = performance.now() + textfileEvery_ms;
    }
    accept(slot, Number(pid), means);
  }
}

/** Less often than Prometheus reads it, and never when nothing has changed. */
const textfileEvery_ms = 5_000;

/** Has node_exporter see what has changed. */
function exportFigures(daemon: Daemon, warn: Warn): void {
  const { means, options: { textfile } } = daemon;
  if (textfile === undefined || performance.now() < daemon.textfile_ms) return;
  daemon.textfile_ms = Infinity;
  try {
    writeText(textfile, figuresOf(means) + leasesText());
  } catch (error) {
    warn(`${textfile} is not written: ${error}`);
  }
}

function figuresOf({ figures }: Means): string {
  return figuresText(figures, Deno.memoryUsage().rss);
}

/** Writes a file that others may be reading: whole. */
function writeText(path: string, text: string): void {
  Deno.writeTextFileSync(`${path}.new`, text);
  Deno.renameSync(`${path}.new`, path);
}

const tidyUpEvery = 500;

/**
 * Collects what calls have left in memory when no call is under way; V8 by
 * itself would let it grow to twice as much.
 */
function tidyUp(daemon: Daemon): void {
  if (daemon.calls < tidyUpEvery) return;
  if (daemon.slots.some(({ state }) => state.kind !== "free")) return;
  daemon.calls = 0;
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
}

function hasStopped(daemon: Daemon): boolean {
  const { stopping_until_ms, folder, slots, means } = daemon;
  if (stopping_until_ms === Infinity || means.deletes.busy()) return false;
  if (slots.some(({ state }) => state.kind !== "free")) return false;
  return performance.now() > stopping_until_ms || !anyClaimed(folder);
}

/** What to wait for, and what to do when it happens. */
function waits(daemon: Daemon) {
  const { folder, slots, means, stopping_until_ms } = daemon;
  const watched: PollEntry[] = [];
  const then: (() => void)[] = [];
  const on = (descriptor: number, events: number, body = () => {}) => {
    watched.push({ descriptor, events });
    then.push(body);
  };
  const soon_ms = performance.now() + 20;
  let until_ms = stopping_until_ms === Infinity ? Infinity : soon_ms;
  until_ms = Math.min(until_ms, daemon.textfile_ms);
  on(folder.call, POLL.IN);
  on(folder.watch, 0, () => watch(daemon));
  const removal = means.deletes.waiting();
  if (removal !== undefined) {
    for (const descriptor of removal.descriptors) on(descriptor, POLL.IN);
    until_ms = Math.min(until_ms, removal.until_ms);
  }
  for (const slot of slots) {
    const { state, reply } = slot;
    if (state.kind === "reading") {
      on(state.caller.stdin, 0);
      until_ms = Math.min(until_ms, state.until_ms);
    }
    if (state.kind === "answered") {
      on(reply.descriptor, 0, () => {
        if (slot.state === state) lost(slot);
      });
    }
  }
  return { watched, then, until_ms };
}

/** Starts the watchdog, at first or when it has ended. */
function watch({ folder, options }: Daemon): void {
  startWatchdog(folder.path, folder.call, options.stuck_s);
  // A pipe without a reader would be told of at once, and again.
  for (let left = 1000; left > 0; left--) {
    const [ended] = poll([{ descriptor: folder.watch, events: 0 }], 0);
    if (ended === 0) return;
    poll([], 1);
  }
  throw new Error("the watchdog does not start: is /bin/sh there?");
}

/** Lets Deno do what has come up meanwhile: it ends what was done in another thread. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
