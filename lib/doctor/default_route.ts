/** The doctor's check of the way out of the cluster. Pure. */
import { gatewayOf } from "../cluster/segments.ts";
import { cmd } from "../exec/command.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  type OneFamily,
  shownBy,
  unclear,
  uplinkOf,
} from "./check.ts";
import { askInterfaceSettings } from "../diagnosis/ask_settings.ts";
import { makeStage, onNode, type Remedy } from "../diagnosis/remedy.ts";
import {
  heedsRouters,
  type InterfaceValues,
  readInterfaceValues,
  settingName,
  valueAt,
} from "../net/interface_settings.ts";

export const defaultRoute: Check = {
  name: "default-route",
  well: "the node has a default route of each family",
  asks: (context) =>
    byFamily(context).some((one) => lacksDefault(context, one))
      ? [askInterfaceSettings]
      : [],
  read(context, [asked]) {
    const lacking = byFamily(context).filter((one) =>
      lacksDefault(context, one)
    );
    if (lacking.length === 0) return [];
    const values = readInterfaceValues(asked?.outcome.stdout ?? "");
    if (valueAt(values, 4, "forwarding", "all") === undefined) {
      return [unclear("how the interfaces are set", asked)];
    }
    return lacking.map((one) =>
      (one.family === 6 ? deaf(context, one, values) : undefined) ??
        none(context, one)
    );
  },
};

function lacksDefault({ host }: CheckContext, { family }: OneFamily): boolean {
  return !host.routes.some((route) =>
    route.family === family && route.to === "default" &&
    route.type === undefined
  );
}

const ask = ({ family }: OneFamily) =>
  cmd`ip -${family === 6 ? "6" : "4"} route show default`;

/** A router is there, perhaps, and the kernel must not hear it. */
function deaf(
  context: CheckContext,
  one: OneFamily,
  values: InterfaceValues,
): Finding | undefined {
  const { node } = context;
  const device = uplinkOf(context.host, one.node.addresses)?.name;
  // 0 is somebody's wish: no router, or another program that heeds it.
  if (
    device === undefined || heedsRouters(values, device) !== false ||
    valueAt(values, 6, "accept_ra", device) !== 1
  ) return undefined;
  const names = ["forwarding", "accept_ra"].map((name) =>
    settingName(6, name, device)
  );
  return {
    is: "warning",
    what: `no IPv6 default route, and ${device} heeds no router that ` +
      "advertises one: it forwards, and its accept_ra is 1",
    evidence: [
      shownBy(context, ask(one)),
      shownBy(context, cmd`sysctl ${names}`),
    ],
    remedies: [
      makeStage("06-forwarding", node.name),
      {
        say: "the route comes with the router's next advertisement, within " +
          "ten minutes as a rule; with no router there, add a static one",
      },
    ],
  };
}

function none(context: CheckContext, one: OneFamily): Finding {
  const { cluster, family } = one;
  const gateways: readonly Remedy[] = cluster.provider === "lab"
    ? [
      onNode(
        context.node.name,
        cmd`ip route add default via ${gatewayOf(cluster, one.node)}`,
      ),
    ]
    : [{
      say: `ip -${family} route add default via the network's router, on ` +
        `${context.node.name}, and in the network's configuration there`,
    }];
  return {
    is: "warning",
    what:
      `no IPv${family} default route: the node and its pods reach nothing ` +
      "outside the cluster's own networks",
    evidence: [shownBy(context, ask(one))],
    remedies: gateways,
  };
}
