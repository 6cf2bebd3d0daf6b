/** Links of a lab's router that take less than their segment does. Pure. */
import type { Cluster } from "../../cluster/cluster.ts";
import { routerName } from "../../cluster/segments.ts";
import { cmd } from "../../exec/command.ts";
import { bridgeName, portName } from "../../lab/names.ts";
import type { Cause } from "../cause.ts";
import { shownIn } from "../kernel_path/obstacle.ts";
import { onNode } from "../remedy.ts";
import type { RouterAnswer } from "./router_answer.ts";
import { segmentPlace, type SegmentWay } from "./way.ts";

/** The link of the router that loses long packets on one of these ways. */
export function routerWidth(
  cluster: Cluster,
  ways: readonly SegmentWay[],
  router: RouterAnswer | undefined,
): Cause | undefined {
  if (cluster.segments === undefined || router?.is !== "read") return undefined;
  const { space, links } = router.survey;
  for (const { name, address } of ways.flatMap(({ from, to }) => [from, to])) {
    const { at, segment } = segmentPlace(cluster, address);
    const wanted = segment?.mtu ?? 1500;
    const own = [
      `eth${at}`,
      ...(at === 0 ? [] : [`port-eth${at}`, bridgeName(at), portName(name)]),
    ];
    const narrow = links.find(({ ifname, mtu }) =>
      own.includes(ifname) && mtu < wanted
    );
    if (narrow === undefined) continue;
    const { ifname, mtu } = narrow;
    return {
      kind: "mtu",
      on: routerName,
      what: `${ifname} of the router takes packets of ${mtu} bytes, and its ` +
        `segment ${wanted}: longer ones are lost, or cut in pieces`,
      evidence: [
        shownIn(space, cmd`ip link show dev ${ifname}`, `mtu ${mtu}`),
      ],
      remedies: [
        onNode(routerName, cmd`ip link set dev ${ifname} mtu ${wanted}`),
      ],
    };
  }
  return undefined;
}
