/** What an executable or a shared object needs to be loaded, by its ELF headers (elf(5)). */
import { BuildError } from "../stage/errors.ts";

/** What the loader looks for. */
interface Linkage {
  /** The loader's own path (PT_INTERP); a shared object and a static program have none. */
  readonly interpreter: string | undefined;
  /** Names of shared objects (DT_NEEDED). */
  readonly needed: readonly string[];
}

const programHeader = { load: 1, dynamic: 2, interpreter: 3 };
const dynamicTag = { end: 0, needed: 1, stringTable: 5 };

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/**
 * Reads the linkage of a 64-bit little-endian ELF file.
 *
 * @param name names it in an error
 * @returns undefined for a file that is no ELF file
 * @throws {BuildError} for an ELF file of another class or byte order
 */
export function linkage(name: string, bytes: Uint8Array): Linkage | undefined {
  const isElf = bytes.length > 64 &&
    [0x7f, 0x45, 0x4c, 0x46].every((byte, at) => bytes[at] === byte);
  if (!isElf) return undefined;
  if (bytes[4] !== 2 || bytes[5] !== 1) {
    throw new BuildError(
      `Cannot read ${name}: expected a 64-bit little-endian ELF file`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const segments = segmentsOf(view);
  const find = (wanted: number) => segments.find(({ type }) => type === wanted);
  const interpreter = find(programHeader.interpreter);
  const dynamic = find(programHeader.dynamic);
  return {
    interpreter: interpreter && stringAt(bytes, interpreter.offset),
    needed: dynamic === undefined
      ? []
      : neededNames(name, bytes, view, segments, dynamic),
  };
}

const word = (view: DataView, at: number) =>
  Number(view.getBigUint64(at, true));

function segmentsOf(view: DataView): readonly Segment[] {
  const table = word(view, 32);
  const size = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  return Array.from({ length: count }, (_, index): Segment => {
    const at = table + index * size;
    return {
      type: view.getUint32(at, true),
      offset: word(view, at + 8),
      address: word(view, at + 16),
      size: word(view, at + 32),
    };
  });
}

function neededNames(
  name: string,
  bytes: Uint8Array,
  view: DataView,
  segments: readonly Segment[],
  dynamic: Segment,
): readonly string[] {
  const names: number[] = [];
  let strings = 0;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    const tag = word(view, at);
    if (tag === dynamicTag.end) break;
    if (tag === dynamicTag.needed) names.push(word(view, at + 8));
    if (tag === dynamicTag.stringTable) strings = word(view, at + 8);
  }
  const home = segments.find(({ type, address, size }) =>
    type === programHeader.load && address <= strings &&
    strings < address + size
  );
  if (home === undefined) {
    throw new BuildError(`Cannot read ${name}: its string table is nowhere`);
  }
  const table = strings - home.address + home.offset;
  return names.map((offset) => stringAt(bytes, table + offset));
}

function stringAt(bytes: Uint8Array, at: number): string {
  return new TextDecoder().decode(bytes.subarray(at, bytes.indexOf(0, at)));
}
