/** What a node's bird says of itself, as it was asked (bgp.sh). Pure. */
import { confPath, examplePath, passwordPath } from "../../bgp/bird_conf.ts";
import { ownBirds } from "../../bgp/own_birds.ts";
import type { Cluster, ClusterNode } from "../../cluster/cluster.ts";
import { cmd, type Command, show } from "../../exec/command.ts";
import { shellProgram } from "../../exec/shell_program.ts";
import type { Asked } from "../../node/batch.ts";
import type { Evidence } from "../evidence.ts";

const program = `${ownBirds}\n${shellProgram("bgp.sh", import.meta.url)}`;

/** The question that bgpFaults() reads the answer to; it changes nothing. */
export function bgpQuestion({ bgp }: Cluster): Command | undefined {
  return bgp === undefined ? undefined : {
    ...cmd`sh -c ${program} bgp ${confPath} ${examplePath} ${
      bgp.passwordFile === undefined ? [] : passwordPath
    }`,
    label: "birdc -r show protocols all",
  };
}

/** Whether the answer is whole. */
export function isWholeBgp({ outcome }: Asked): boolean {
  return outcome.stdout.endsWith("end\n");
}

/** What a node answered. */
export interface BgpAnswer {
  readonly cluster: Cluster;
  readonly node: ClusterNode;
  /** The lines of one kind, without their first word. */
  readonly lines: (kind: string) => readonly string[];
}

/** Reads an answer that is whole. */
export function readBgp(
  cluster: Cluster,
  node: ClusterNode,
  { outcome }: Asked,
): BgpAnswer {
  const all = outcome.stdout.split("\n");
  return {
    cluster,
    node,
    lines: (kind) =>
      all.filter((line) => line === kind || line.startsWith(`${kind} `))
        .map((line) => line.slice(kind.length + 1)),
  };
}

/** What a command on the node prints of it. */
export function printedOn(
  { node }: Pick<BgpAnswer, "node">,
  command: Command,
  printed: string,
): Evidence {
  return { where: node.name, command: show(command), printed };
}

/** As many lines are shown of what a node's bird tells. */
const mostLines = 12;

/** The first of many lines, and how many more there are. */
export function firstLines(lines: readonly string[]): string {
  const more = lines.length - mostLines;
  return [
    ...lines.slice(0, mostLines),
    ...(more > 0 ? [`… ${more} lines more`] : []),
  ].join("\n");
}
