/**
 * Reads a cluster file: YAML to checked values, with the line of each mistake.
 * The only importer of yaml.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
} from "yaml";

/** A cluster file, or what was found out about its cluster, that makes no sense. */
export class ClusterFileError extends Error {
  override readonly name = "ClusterFileError";

  /** @param mistakes all that were found, a line each */
  constructor(readonly mistakes: readonly string[]) {
    super(mistakes.join("\n"));
  }
}

/** Keys and indices that lead to a value. */
export type KeyPath = readonly (string | number)[];

/** A YAML text while it is checked. */
export interface Reading {
  readonly value: unknown;
  /**
   * Notes a mistake at a place: the value, what is wrong with it, and what was
   * expected. Of a text, a number or a word, the first that is noted is kept.
   */
  wrong(path: KeyPath, message: string): void;
  /** All mistakes so far, in the file's order. */
  mistakes(): readonly string[];
}

/**
 * Parses a YAML text.
 *
 * @param file its name, for the messages
 * @throws {ClusterFileError} when it is no YAML
 */
export function readYaml(text: string, file: string): Reading {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    stringKeys: true,
  });
  const line = (offset: number) => lineCounter.linePos(offset).line;
  if (document.errors.length > 0) {
    throw new ClusterFileError(
      document.errors.map(({ pos, message }) =>
        `${file}:${line(pos[0])}: not YAML: ${message}`
      ),
    );
  }
  const found: { line: number; message: string }[] = [];
  const wrongScalars = new Set<unknown>();
  return {
    value: toValue(document, file),
    wrong(path, message) {
      const { offset, depth, node } = find(document, path);
      if (wrongScalars.has(node)) return;
      if (isScalar(node)) wrongScalars.add(node);
      const at = line(offset);
      // A list of one may be written without its list; a key may be left out.
      const known = path.filter((part, place) =>
        place < depth || typeof part === "string"
      );
      const key = known.length === 0 ? "" : `${showPath(known)}: `;
      found.push({ line: at, message: `${file}:${at}: ${key}${message}` });
    },
    mistakes: () =>
      found.toSorted((a, b) => a.line - b.line).map(({ message }) => message),
  };
}

function toValue(document: Document, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // An alias without its anchor, or aliases that make too much of themselves.
    if (!(error instanceof ReferenceError)) throw error;
    throw new ClusterFileError([`${file}: not YAML: ${error.message}`]);
  }
}

/** The key or element that a path leads to, and where it is, or as far as it leads. */
function find(
  document: Document.Parsed,
  path: KeyPath,
): { offset: number; depth: number; node: unknown } {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0] ?? 0;
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) =>
        isScalar(key) && key.value === part
      );
      if (pair === undefined) return { offset, depth, node };
      if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && typeof part === "number") {
      const element: unknown = node.items[part];
      if (isScalar(element) || isMap(element) || isSeq(element)) {
        offset = element.range?.[0] ?? offset;
      }
      node = element;
    } else return { offset, depth, node };
  }
  return { offset, depth: path.length, node };
}

function showPath(path: KeyPath): string {
  return path.map((part, at) =>
    typeof part === "number" ? `[${part}]` : at === 0 ? part : `.${part}`
  ).join("");
}
