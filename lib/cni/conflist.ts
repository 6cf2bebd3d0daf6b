/**
 * The network configuration list that stage 03 writes on a node (CNI SPEC.md,
 * section 1). Pure.
 */
import { exitAbsent, saysAbsent } from "../exec/shell_file.ts";
import {
  cmd,
  type Command,
  quote,
  succeeded,
  withInput,
} from "../exec/command.ts";
import { addressNumber, familyOf } from "../net/cidr.ts";
import { mark } from "../net/mark.ts";
import { unknown } from "../steps/probes.ts";
import type { Answer, Plan, Probe } from "../stage/stage.ts";
import { removeLeases } from "./lease_store.ts";
import { configFolder, pluginFolder } from "./runtime.ts";

/** The file; runtimes take the first of the folder. */
export const conflistPath = `${configFolder}/10-${mark}.conflist`;

/** The reference plugin that maps hostPorts; it comes after ours, whose result it reads. */
export const portmapPath = `${pluginFolder}/portmap`;

/** A line of its own, so that a node without the plugin does without the line. */
const portmapLine =
  `    , {"type":"portmap","capabilities":{"portMappings":true}}\n`;

/** The list as a node without portmap has it. */
export function withoutPortmap(text: string): string {
  return text.replace(portmapLine, "");
}

/**
 * Addresses of other nodes, one of each network that they are in: a pod's MTU
 * is the smallest on the ways to them. Nodes of one /24, or /64, are reached
 * the same way, as a rule.
 */
function peersOf({ cluster, node }: Plan): readonly string[] {
  const networks = new Map<string, string>();
  for (const { name, addresses } of cluster.nodes) {
    if (name === node.name) continue;
    for (const address of addresses) {
      const family = familyOf(address);
      const hostBits = family === 6 ? 64n : 8n;
      const network = `${family} ${addressNumber(address) >> hostBits}`;
      if (!networks.has(network)) networks.set(network, address);
    }
  }
  return [...networks.values()];
}

/** The list, with portmap unless the cluster file says no. */
export function conflist({ cluster, node }: Plan): string {
  const { clusterCIDRs, cniVersion, bridge, mtu, plugin } = cluster;
  const own = {
    type: mark,
    ...(clusterCIDRs.length === 1
      ? { network: clusterCIDRs[0], subnet: node.podCIDRs[0] }
      : { networks: clusterCIDRs, subnets: node.podCIDRs }),
    bridge,
    ...(mtu === undefined ? { peers: peersOf({ cluster, node }) } : { mtu }),
    hairpinMode: plugin.hairpin,
    ...(plugin.logFile === undefined ? {} : { logFile: plugin.logFile }),
    ...(plugin.logLevel === undefined ? {} : { logLevel: plugin.logLevel }),
  };
  const list = { cniVersion, name: mark, plugins: [own] };
  const text = `${JSON.stringify(list, null, 2)}\n`;
  const end = "    }\n  ]\n}\n";
  return plugin.portmap === false
    ? text
    : text.replace(end, end.replace("\n", `\n${portmapLine}`));
}

/** Exits 0 where portmap runs and knows the version: $1 the program, $2 the version. */
const hasPortmap =
  `CNI_COMMAND=VERSION "$1" 2>/dev/null </dev/null | grep -qF "\\"$2\\""`;

/** Writes the list; where the node decides, without a portmap that it does not have. */
export function writeConflist(plan: Plan): Command {
  const { plugin, cniVersion } = plan.cluster;
  const drop = plugin.portmap === "auto"
    ? `{ ${hasPortmap} || sed -i '/"type":"portmap"/d' "$3.new"; } && `
    : "";
  // The last line tells that the text was not cut short. In a line, since a dry run shows it.
  const script = 'mkdir -p "${3%/*}" && (umask 077; cat >"$3.new") && ' +
    'if [ "$(tail -n 1 "$3.new")" != "}" ]; then ' +
    'rm "$3.new"; echo "the text was cut short" >&2; exit 1; fi && ' +
    `${drop}chmod 600 "$3.new" && mv -f "$3.new" "$3"`;
  const command =
    cmd`sh -c ${script} write ${portmapPath} ${cniVersion} ${conflistPath}`;
  return {
    ...withInput(command, conflist(plan)),
    label: `write ${conflistPath}`,
    writes: conflistPath,
  };
}

/**
 * Removes the list where it is ours, whatever was added to it, and the leases that are
 * left over.
 */
export function removeConflist(): Command {
  const script = `if grep -qsF ${quote(`"name": "${mark}"`)} "$1"; then ` +
    `rm -f "$1"; fi; rm -f "$1.new"\n${removeLeases()}`;
  return {
    ...cmd`sh -c ${script} remove ${conflistPath}`,
    label: `rm -f ${conflistPath}`,
  };
}

const question = `if ${hasPortmap}; then echo has; else echo lacks; fi
[ -e "$3" ] || ${exitAbsent}
stat -c %a "$3"; cat "$3"`;

/** Is the list as writeConflist() leaves it? What was added to it by hand is refused. */
export function conflistIs(plan: Plan): Probe {
  const { plugin: { portmap }, cniVersion } = plan.cluster;
  return {
    ask:
      cmd`sh -c ${question} ask ${portmapPath} ${cniVersion} ${conflistPath}`,
    read(outcome) {
      const [found = "", mode, ...lines] = outcome.stdout.split("\n");
      if (!succeeded(outcome) && !saysAbsent(outcome)) {
        return unknown(outcome, `what ${conflistPath} holds`);
      }
      if (portmap === true && found !== "has") return noPortmap(cniVersion);
      if (saysAbsent(outcome)) return { is: "absent" };
      const text = lines.join("\n");
      const whole = conflist(plan);
      const wanted = found === "has" ? whole : withoutPortmap(whole);
      if (mode === "600" && text === wanted) {
        return { is: "present", ours: true };
      }
      return notAsWanted(text);
    },
  };
}

function noPortmap(cniVersion: string): Answer {
  return {
    is: "different",
    found: `${portmapPath} is missing, or does not know CNI ${cniVersion}, ` +
      "and the cluster file has plugin.portmap: true",
    remedy: "install it (apt-get install containernetworking-plugins; " +
      `ln -s /usr/lib/cni/portmap ${portmapPath}), or set plugin.portmap: auto`,
  };
}

/** A list by the name that stage 03 gives it is of its writing, but for what it never writes. */
function notAsWanted(text: string): Answer {
  if (!text.includes(`"name": "${mark}"`)) {
    return {
      is: "different",
      found: `${conflistPath} holds something that this tool did not write`,
      remedy: "move it away, and run this stage again",
    };
  }
  const more = additions(text);
  if (more.length === 0) return { is: "absent", ours: true };
  return {
    is: "different",
    found: `${conflistPath} has what this tool did not write: ${
      more.join(", ")
    }`,
    remedy:
      "take it out and run this stage again; or, to keep the list as it is, " +
      `give it a name of its own, which sorts first: mv ${conflistPath} ` +
      `${configFolder}/05-own.conflist`,
  };
}

/** The keys that this tool, of whatever version, writes. */
const known = {
  list: ["cniVersion", "name", "plugins"],
  own: [
    ...["type", "network", "subnet", "networks", "subnets", "bridge", "mtu"],
    ...["peers", "hairpinMode", "logFile", "logLevel"],
  ],
  portmap: ["type", "capabilities", "snat"],
};

/** What a list of ours has that this tool never writes; none where it is no JSON. */
function additions(text: string): readonly string[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return [];
  }
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
