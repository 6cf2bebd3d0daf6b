/**
 * The taken addresses of a store as bits in files of 512 bytes, one a block, for finding the next
 * free address without reading the store's folder. It is a part of the index: index_file.ts says
 * when it is to be believed.
 */
import type { Address } from "../address/address.ts";
import { point } from "../linux/failpoint.ts";
import {
  makeFolders,
  overwrite,
  readBytes,
  remove,
  removeFolder,
} from "../linux/files.ts";
import { blockBytes, type ReadBlock } from "./round_robin.ts";
import { bitOf, blockName, type Blocks } from "./bitmap.ts";

/** The blocks in a folder. All but `read` want the store's lock, and throw FileError. */
export interface BlockFiles {
  readonly read: ReadBlock;
  mark(address: Address, taken: boolean): void;
  /** Puts these blocks in the place of all there are. */
  replace(blocks: Blocks): void;
}

export function openBlocks(folder: string): BlockFiles {
  // What is looked through for a free address is written a moment later.
  const known: Blocks = new Map();

  function read(name: string): Uint8Array | undefined {
    const bits = known.get(name) ?? readBytes(`${folder}/${name}`);
    // A file of another length was cut short: link(2) will tell which of its addresses are taken.
    if (bits?.length !== blockBytes) return undefined;
    known.set(name, bits);
    return bits;
  }

  return {
    read: (family, block) => read(blockName(family, block)),

    mark(address, taken) {
      const { name, byte, mask } = bitOf(address);
      const existing = read(name);
      const bits = existing ?? new Uint8Array(blockBytes);
      if (taken) bits[byte]! |= mask;
      else bits[byte]! &= ~mask;
      if (bits.every((byte) => byte === 0)) {
        known.delete(name);
        remove(`${folder}/${name}`);
      } else {
        if (existing === undefined) makeFolders(folder);
        overwrite(`${folder}/${name}`, bits);
      }
      point("index: block written");
    },

    replace(blocks) {
      known.clear();
      removeFolder(folder);
      makeFolders(folder);
      for (const [name, bits] of blocks) overwrite(`${folder}/${name}`, bits);
      point("index: blocks written");
    },
  };
}
