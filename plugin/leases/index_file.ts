/**
 * What makes ADD and DEL as quick with 60,000 leases as with none: an index beside the store, in
 * `<dataDir>/.deno-cni/<network>/`. No network's name begins with a dot, and the reference, which
 * reads every file of its own folder, does not come here:
 *
 * - `attachments/<containerID>:<ifname>`: a symbolic link that leads nowhere; its text is the
 *   attachment's addresses
 * - `taken/<block>`: the taken addresses of a block as bits, for finding the next free one
 * - `attachments/state`: whether these are to be believed
 *
 * The leases are the truth. The index is believed while no other program changed the store. Even
 * then, an answer that names a lease is compared with the lease's file.
 *
 * **How a change is noticed.** Making or removing a file changes the time of its folder (mtime).
 * After each of our own changes the folder gets a time that no clock shows any more, drawn anew
 * each time, which is noted in `state`. While the folder has it, no other program has been there,
 * however coarse the file system's time is and wherever the clock jumped to. A process killed
 * between the two leaves them different as well. So the index is changed only while they differ:
 * after the first change to the leases, before the time is set. (A lease rewritten in place goes
 * unnoticed. No known program does that, and the lease's own file still has the last word.)
 */
import { type Address, addressOrUndefined } from "../address/address.ts";
import { type BlockFiles, openBlocks } from "./block_files.ts";
import { point } from "../linux/failpoint.ts";
import {
  inspect,
  makeFolders,
  overwrite,
  readSymlink,
  readText,
  remove,
  removeFolder,
  setChanged,
  symlink,
} from "../linux/files.ts";
import type { Owner } from "../cni/protocol.ts";
import { leasePath, readLease } from "./lease_file.ts";
import { newLeasePath, type Places } from "./places.ts";
import type { ReadBlock } from "./round_robin.ts";
import { addressesIn, type Blocks, takenIn } from "./bitmap.ts";

/**
 * A larger store that another program changed is not read file by file until an attachment is
 * asked for that is not in the index: ADD must not take as long as reading 60,000 files does.
 */
const quicklyRead = 1024;

/** 2001, and 17 years: times in whole seconds, which every file system keeps. */
const oldest_s = 978_307_200;
const span_s = 2 ** 29;

/** The longest containerID that fits into a file name (255 bytes) beside `:` and an ifname. */
const longestIndexed = 239;

/** An attachment with more addresses than fit into a symbolic link is entered with this text. */
const tooMany = "*";
const longestText = 1000;

/** What `state` says. */
interface IndexState {
  /** The time that the folder of the leases has, in seconds. */
  readonly time_s: number;
  /** Every lease's attachment is in the index; otherwise one that is missing may hold a lease. */
  readonly complete: boolean;
  /** The addresses that were given back last, one a family. */
  readonly resting: readonly Address[];
}

/** The state; undefined when the index is not to be believed. Needs no lock. */
export function readState(places: Places): IndexState | undefined {
  const notes = readNotes(places);
  return isTrue(notes, places) ? notes : undefined;
}

/** What the state's file says, whether it is true or not. */
function readNotes({ index }: Places): IndexState | undefined {
  const words = readText(statePath(index))?.split(" ") ?? [];
  const [version, time, complete, resting, end] = words;
  if (version !== "2" || resting === undefined || end !== "\n") {
    return undefined;
  }
  return {
    time_s: Number(time),
    complete: complete === "complete",
    resting: parseAddresses(resting),
  };
}

function isTrue(notes: IndexState | undefined, { leases }: Places): boolean {
  return notes !== undefined &&
    inspect(leases)?.changed_ms === notes.time_s * 1000;
}

/** The taken addresses as the index has them. Reading them needs no lock. */
export function blocksOf({ index }: Places): BlockFiles {
  return openBlocks(`${index}/taken`);
}

/** The index of a store that this process has locked. */
export interface LeaseIndex {
  /** As {@linkcode IndexState}. */
  readonly complete: boolean;
  readonly resting: readonly Address[];
  /** Whether the folder has been read since the lock was taken. */
  readonly fresh: boolean;
  readonly blocks: ReadBlock;
  /**
   * What the attachment held, [] if it is not in the index; undefined if only reading every file
   * can tell.
   */
  addressesOf(owner: Owner): Address[] | undefined;
  /** Notes what an attachment holds from now on; none removes it. */
  enter(owner: Owner, addresses: readonly Address[]): void;
  markTaken(addresses: readonly Address[]): void;
  markFree(addresses: readonly Address[]): void;
  /** Reads the folder again, and with `everyFile` or few of them every file. */
  refresh(everyFile: boolean): void;
  /** Makes the index one to be believed: the last step of every change. */
  settle(): void;
}

/** An index that is open, as it is in memory. */
interface OpenIndex {
  readonly places: Places;
  readonly blocks: BlockFiles;
  complete: boolean;
  resting: readonly Address[];
  fresh: boolean;
}

/**
 * Opens the index, and makes it anew if it is not to be believed.
 *
 * @param onChange is called before that: another program may have removed leases
 * @throws {FileError}
 */
export function openIndex(places: Places, onChange: () => void): LeaseIndex {
  const notes = readNotes(places);
  const open: OpenIndex = {
    places,
    blocks: blocksOf(places),
    complete: notes?.complete ?? false,
    resting: notes?.resting ?? [],
    fresh: false,
  };
  if (!isTrue(notes, places)) {
    remove(newLeasePath(places));
    onChange();
    refresh(open, false);
  }
  return {
    get complete() {
      return open.complete;
    },
    get resting() {
      return open.resting;
    },
    get fresh() {
      return open.fresh;
    },
    blocks: open.blocks.read,
    addressesOf: (owner) => indexedAddresses(places, owner),
    enter: (owner, addresses) => enter(places, owner, addresses),
    markTaken(addresses) {
      for (const address of addresses) open.blocks.mark(address, true);
    },
    markFree(addresses) {
      for (const address of addresses) open.blocks.mark(address, false);
      open.resting = [
        ...addresses,
        ...open.resting.filter(({ family }) =>
          addresses.every((address) => address.family !== family)
        ),
      ];
    },
    refresh: (everyFile) => refresh(open, everyFile),
    settle: () => settle(open),
  };
}

function indexedAddresses(
  places: Places,
  owner: Owner,
): Address[] | undefined {
  if (owner.containerID.length > longestIndexed) return undefined;
  const text = readSymlink(entryPath(places, owner)) ?? "";
  return text === tooMany ? undefined : parseAddresses(text);
}

function enter(
  places: Places,
  owner: Owner,
  addresses: readonly Address[],
): void {
  if (owner.containerID.length > longestIndexed) return;
  const path = entryPath(places, owner);
  if (addresses.length === 0) remove(path);
  else {
    const text = addresses.map(noted).join();
    symlink(text.length > longestText ? tooMany : text, path);
  }
  point("index: attachment entered");
}

function refresh(open: OpenIndex, everyFile: boolean): void {
  const { places, blocks } = open;
  const { leases, index } = places;
  // Nothing here is to be believed until settle().
  remove(statePath(index));
  const { blocks: found, count } = takenIn(leases);
  blocks.replace(found);
  open.fresh = true;
  open.complete = everyFile || count <= quicklyRead;
  const attachments = `${index}/attachments`;
  if (open.complete) {
    removeFolder(attachments);
    point("index: attachments removed");
  }
  makeFolders(attachments);
  if (open.complete) {
    for (const [owner, addresses] of readEvery(leases, found)) {
      enter(places, owner, addresses);
    }
  }
  settle(open);
}

function settle({ places, complete, resting }: OpenIndex): void {
  const { leases, index } = places;
  const time_s = oldest_s + Math.floor(Math.random() * span_s);
  const known = complete ? "complete" : "partial";
  const rest = resting.map(noted).join();
  overwrite(statePath(index), `2 ${time_s} ${known} ${rest} \n`);
  point("index: state written");
  setChanged(leases, time_s);
  point("index: settled");
}

/** Every attachment of the store and what it holds, read from the files. */
export function readEvery(
  folder: string,
  blocks: Blocks,
): Iterable<readonly [Owner, Address[]]> {
  const found = new Map<string, readonly [Owner, Address[]]>();
  for (const address of addressesIn(blocks)) {
    const owner = readLease(leasePath(folder, address));
    if (typeof owner !== "object") continue;
    const key = `${owner.containerID}:${owner.ifname}`;
    const entry = found.get(key);
    if (entry === undefined) found.set(key, [owner, [address]]);
    else entry[1].push(address);
  }
  return found.values();
}

function entryPath({ index }: Places, { containerID, ifname }: Owner): string {
  return `${index}/attachments/${containerID}:${ifname}`;
}

/** Among the attachments, so as to go when they go. */
function statePath(index: string): string {
  return `${index}/attachments/state`;
}

/**
 * An address as the index notes it, `4xaf40107`: its text would read like a lease
 * to programs that search for it.
 */
function noted({ family, value }: Address): string {
  return `${family}x${value.toString(16)}`;
}

function parseAddresses(text: string): Address[] {
  return text.split(",").map((note): Address | undefined => {
    const [, family, digits] = /^([46])x([0-9a-f]{1,32})$/.exec(note) ?? [];
    return digits === undefined
      // As the first versions noted it.
      ? addressOrUndefined(note)
      : { family: family === "4" ? 4 : 6, value: BigInt(`0x${digits}`) };
  }).filter((address) => address !== undefined);
}
