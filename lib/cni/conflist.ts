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
import type { Cluster } from "../cluster/cluster.ts";
import { oncePer } from "../cluster/once.ts";
import type { Firewall } from "../cluster/schema_firewall.ts";
import { tunnelMtu } from "../cluster/tunnels.ts";
import { mark } from "../net/mark.ts";
import { unknown } from "../steps/probes.ts";
import type { Answer, Plan, Probe } from "../stage/stage.ts";
import { additions, type Edit, editsOf } from "./conflist_edits.ts";
import { removeLeases } from "./lease_store.ts";
import { configFolder, pluginFolder } from "./runtime.ts";

/** The file; runtimes take the first of the folder. */
export const conflistPath = `${configFolder}/10-${mark}.conflist`;

/** What stage 03 wrote last: a list that is another was edited by hand. */
const writtenPath = `/var/lib/deno-cni/written.conflist`;

/** The table of nftables in which portmap 1.6 and later has its rules. */
export const portmapTable = "cni_hostport";

/** The reference plugin that maps hostPorts; it comes after ours, whose result it reads. */
export const portmapPath = `${pluginFolder}/portmap`;

/**
 * A line of its own, so that a node without the plugin does without the line. One
 * before 1.6 passes over `backend`, and takes iptables
 * (https://www.cni.dev/plugins/current/meta/portmap/).
 */
function portmapLine(firewall: Firewall | undefined): string {
  const backend = firewall === "nftables" ? ',"backend":"nftables"' : "";
  return `    , {"type":"portmap","capabilities":{"portMappings":true}${backend}}\n`;
}

/** The list as a node without portmap has it. */
export function withoutPortmap(text: string): string {
  return text.replace(/^ {4}, \{"type":"portmap".*\}\n/m, "");
}

/** An address of a node, and its place among all nodes' addresses. */
interface Peer {
  readonly name: string;
  readonly address: string;
  readonly at: number;
}

/**
 * For each network that nodes are in, addresses of the first two: of these, one
 * is always another node's. Nodes of one /24, or /64, are reached the same way,
 * as a rule.
 */
const firstTwoOfEach = oncePer((nodes: Cluster["nodes"]) => {
  const networks = new Map<string, Peer[]>();
  const all = nodes.flatMap(({ name, addresses }) =>
    addresses.map((address) => ({ name, address }))
  );
  for (const [at, { name, address }] of all.entries()) {
    const family = familyOf(address);
    const hostBits = family === 6 ? 64n : 8n;
    const network = `${family} ${addressNumber(address) >> hostBits}`;
    const known = networks.get(network);
    if (known === undefined) networks.set(network, [{ name, address, at }]);
    else if (known.length < 2 && known[0]?.name !== name) {
      known.push({ name, address, at });
    }
  }
  return [...networks.values()];
});

/**
 * Addresses of other nodes, one of each network that they are in: a pod's MTU
 * is the smallest on the ways to them.
 */
function peersOf({ cluster, node }: Plan): readonly string[] {
  return firstTwoOfEach(cluster.nodes)
    .flatMap((peers) => peers.find(({ name }) => name !== node.name) ?? [])
    .toSorted((a, b) => a.at - b.at)
    .map(({ address }) => address);
}

/** The list, with portmap unless the cluster file says no. */
export function conflist({ cluster, node }: Plan): string {
  const { clusterCIDRs, cniVersion, bridge, plugin, firewall } = cluster;
  const mtu = cluster.mtu ?? tunnelMtu(cluster);
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
    : text.replace(end, end.replace("\n", `\n${portmapLine(firewall)}`));
}

/**
 * Exits 0 where portmap runs and knows the version: $1 the program, $2 the version.
 * Without iptables, it has to know the table that it writes by itself.
 */
const hasPortmap =
  `CNI_COMMAND=VERSION "$1" 2>/dev/null </dev/null | grep -qF "\\"$2\\"" && ` +
  `{ command -v iptables >/dev/null || grep -qF ${portmapTable} "$1"; }`;

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
    `${drop}chmod 600 "$3.new" && mkdir -p "\${4%/*}" && ` +
    'cp "$3.new" "$4" && mv -f "$3.new" "$3"';
  const paths = [conflistPath, writtenPath];
  const command =
    cmd`sh -c ${script} write ${portmapPath} ${cniVersion} ${paths}`;
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
    `rm -f "$1"; fi; rm -f "$1.new" "$2"\n${removeLeases()}`;
  return {
    ...cmd`sh -c ${script} remove ${conflistPath} ${writtenPath}`,
    label: `rm -f ${conflistPath}`,
  };
}

/** Before each line of what was written last. */
const writtenMark = "written: ";

const question = `if ${hasPortmap}; then echo has; else echo lacks; fi
[ -e "$3" ] || ${exitAbsent}
stat -c %a "$3"; sed 's/^/${writtenMark}/' "$4" 2>/dev/null; cat "$3"`;

/** Is the list as writeConflist() leaves it? What was added to it by hand is refused. */
export function conflistIs(plan: Plan): Probe {
  const { plugin: { portmap }, cniVersion } = plan.cluster;
  return {
    ask: cmd`sh -c ${question} ask ${portmapPath} ${cniVersion} ${[
      conflistPath,
      writtenPath,
    ]}`,
    read(outcome) {
      const [found = "", mode, ...rest] = outcome.stdout.split("\n");
      const written = rest.filter((line) => line.startsWith(writtenMark))
        .map((line) => line.slice(writtenMark.length));
      const lines = rest.slice(written.length);
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
      return notAsWanted(text, written.join("\n"));
    },
  };
}

function noPortmap(cniVersion: string): Answer {
  return {
    is: "different",
    found:
      `${portmapPath} is missing, does not know CNI ${cniVersion}, or is ` +
      "older than 1.6 and finds no iptables, and the cluster file has " +
      "plugin.portmap: true",
    remedy: "install it (apt-get install containernetworking-plugins; " +
      `ln -s /usr/lib/cni/portmap ${portmapPath}), or set plugin.portmap: auto`,
  };
}

/**
 * A list by the name that stage 03 gives it is of its writing, but for what it
 * never writes, and for what it wrote otherwise.
 */
function notAsWanted(text: string, written: string): Answer {
  // A machine that lost its power leaves such a file, and no person wrote it.
  if (/^[\s\0]*$/.test(text)) return { is: "absent", ours: true };
  if (!text.includes(`"name": "${mark}"`)) {
    return {
      is: "different",
      found: `${conflistPath} holds something that this tool did not write`,
      remedy: "move it away, and run this stage again",
    };
  }
  const more = additions(text);
  const edits = more.length > 0 ? [] : editsOf(text, written);
  if (edits.length > 0) return edited(edits);
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

function edited(edits: readonly Edit[]): Answer {
  const shown = (value: unknown) =>
    value === undefined ? "nothing" : JSON.stringify(value);
  return {
    is: "different",
    found: `${conflistPath} was edited since this tool wrote it: ${
      edits.map(({ place, found, written }) =>
        `${place} is ${shown(found)}, was ${shown(written)}`
      ).join("; ")
    }`,
    remedy:
      `to keep it, set ${
        edits.flatMap(({ inFile }) => inFile ?? []).join(", ")
      } in the cluster file; to have it as that says: rm ${conflistPath}; then ` +
      "run this stage again",
  };
}
