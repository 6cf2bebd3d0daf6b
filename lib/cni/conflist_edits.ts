/** What was done by hand to the list that stage 03 wrote. Pure. */
import { mark } from "../net/mark.ts";

/** The keys that this tool, of whatever version, writes. */
const known = {
  list: ["cniVersion", "name", "plugins"],
  own: [
    ...["type", "network", "subnet", "networks", "subnets", "bridge", "mtu"],
    ...["peers", "hairpinMode", "logFile", "logLevel"],
  ],
  portmap: ["type", "capabilities", "snat", "backend"],
};

/** What a list of ours has that this tool never writes; none where it is no JSON. */
export function additions(text: string): readonly string[] {
  const list = parsed(text);
  if (!isObject(list)) return [];
  const plugins = Array.isArray(list.plugins) ? list.plugins : [];
  return [
    ...others(list, known.list, ""),
    ...plugins.flatMap((plugin, at) => {
      const place = `plugins[${at}]`;
      const type = isObject(plugin) ? plugin.type : plugin;
      if (!isObject(plugin) || (type !== mark && type !== "portmap")) {
        return [`${place} (${JSON.stringify(type)})`];
      }
      const keys = type === mark ? known.own : known.portmap;
      return others(plugin, keys, `${place}.`);
    }),
  ];
}

function others(
  object: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  path: string,
): readonly string[] {
  return Object.entries(object).filter(([key]) => !keys.includes(key))
    .map(([key, value]) => `${path}${key} (${JSON.stringify(value)})`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value that is another than stage 03 wrote. */
export interface Edit {
  /** The key's place in the list. */
  readonly place: string;
  /** The key of the cluster file that sets it; absent where none does. */
  readonly inFile?: string;
  readonly found: unknown;
  readonly written: unknown;
}

/** The keys that follow an operator's wish, and those of the cluster file that say it. */
const wishes: Readonly<Record<string, string>> = {
  cniVersion: "cniVersion",
  bridge: "bridge",
  mtu: "mtu",
  hairpinMode: "plugin.hairpin",
  logFile: "plugin.logFile",
  logLevel: "plugin.logLevel",
};

/**
 * Values that were edited since the list was written. What follows from the
 * cluster alone, as a podCIDR, is no wish: the stage writes it anew.
 */
export function editsOf(text: string, written: string): readonly Edit[] {
  const [now, before] = [partsOf(text), partsOf(written)];
  if (now === undefined || before === undefined) return [];
  const edits = Object.entries(wishes).flatMap(([key, inFile]): Edit[] => {
    const at = key === "cniVersion" ? "list" : "own";
    const [found, was] = [now[at][key], before[at][key]];
    const place = at === "list" ? key : `plugins[0].${key}`;
    return same(found, was) ? [] : [{ place, inFile, found, written: was }];
  });
  const portmap = { found: now.portmap, written: before.portmap };
  return same(portmap.found, portmap.written)
    ? edits
    : [...edits, { place: "portmap", inFile: "plugin.portmap", ...portmap }];
}

const same = (a: unknown, b: unknown) =>
  JSON.stringify(a) === JSON.stringify(b);

function partsOf(text: string) {
  const list = parsed(text);
  if (!isObject(list) || !Array.isArray(list.plugins)) return undefined;
  const plugins = list.plugins.filter(isObject);
  const own = plugins.find(({ type }) => type === mark);
  const portmap = plugins.find(({ type }) => type === "portmap");
  return own === undefined ? undefined : { list, own, portmap };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
