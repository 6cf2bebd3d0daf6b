/** Why long packets do not get through a tunnel, though short ones do. Pure. */
import { tunnelOverhead } from "../cluster/tunnels.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { cmd } from "../exec/command.ts";
import { familyOf } from "../net/cidr.ts";
import { onNode, type Remedy } from "./remedy.ts";
import {
  shownOf,
  type TunnelAnswer,
  type TunnelFault,
} from "./tunnel_causes.ts";
import { endOf } from "./tunnel_silence.ts";

/** The far end answers short packets, and none that is as long as the tunnel takes. */
export function narrowness(
  known: TunnelAnswer,
  far: ClusterNode,
): Omit<TunnelFault, "far"> | undefined {
  const { node, cluster, lines } = known;
  const end = endOf(far);
  const told = (name: string) =>
    lines(name).map((line) => line.split(" "))
      .filter(([of]) => of === end).map(([, bytes]) => Number(bytes));
  const [mtu] = told("narrow");
  if (end === undefined || mtu === undefined) return undefined;
  const [local, remote] = [node.vtep ?? node.address, far.vtep ?? far.address];
  const passes = Math.max(0, ...told("passes"));
  const outer = mtu + tunnelOverhead(local);
  const headers = familyOf(end) === 4 ? 28 : 48;
  const [remembered] = told("remembers");
  const forget = cmd`ip ${familyOf(end) === 6 ? ["-6"] : []} route flush cache`;
  const remedies = passes === 0
    ? [{
      say: `let UDP packets of ${outer} bytes, and pieces of such, from ` +
        `${local} pass to ${remote}, and back: in the routers and firewalls ` +
        "between them",
    }]
    : lowered(cluster, passes);
  return {
    is: "narrow",
    cause: {
      kind: "mtu",
      on: node.name,
      what: `packets of ${mtu} bytes do not get through the tunnel from ` +
        `${node.name} to ${far.name} and back, and short ones do: they are ` +
        `${outer} bytes with the tunnel's headers, and between ${local} and ` +
        `${remote} ` +
        (passes === 0
          ? "something drops what is that long, or cut in pieces"
          : `no more than about ${passes} get through`),
      evidence: [
        shownOf(
          known,
          cmd`ping -c 1 -W 1 -M do -s ${mtu - headers} ${end}`,
          "no answer",
        ),
        ...(passes === 0 ? [] : [shownOf(
          known,
          cmd`ping -c 1 -W 1 -M do -s ${
            passes - tunnelOverhead(local) - headers
          } ${end}`,
          "answered",
        )]),
      ],
      remedies: [
        ...(remembered === undefined ? [] : [
          {
            say: `${node.name} was told so, and remembers it for ten ` +
              "minutes: let it forget, and see whether that was all",
          },
          onNode(node.name, forget),
        ]),
        ...remedies,
      ],
    },
  };
}

/** What makes the tunnels fit ways that take less, and the pods the tunnels. */
function lowered(
  cluster: Cluster,
  way: number,
): readonly Remedy[] {
  const room = way - tunnelOverhead(
    cluster.nodes[0]?.vtep ?? cluster.nodes[0]?.address ?? "",
  );
  return [
    { say: `write vxlan: {mtu: ${way}} into ${cluster.file}` },
    ...(cluster.mtu !== undefined && cluster.mtu > room
      ? [{ say: `take mtu: ${cluster.mtu} out of ${cluster.file}` }]
      : []),
    { stage: "03-cni-config" },
    { stage: "08-routes" },
    { stage: "09-verify", undo: true },
    { stage: "09-verify" },
  ];
}
