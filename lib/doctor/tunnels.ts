/** The doctor's check of the tunnels between nodes. Pure. */
import {
  inTunnelsWay,
  tunnelFaults,
  tunnelQuestion,
} from "../diagnosis/tunnels.ts";
import { tunnelLink } from "../net/vxlan.ts";
import { narrowCause, waysCause } from "./segments.ts";
import { type Check, type Finding, unclear } from "./check.ts";

export const tunnelCheck: Check = {
  name: "tunnels",
  well:
    "the tunnels to nodes of other segments carry packets, and fit their ways",
  asks({ cluster, node }) {
    if (cluster.vxlan === undefined) return [];
    const question = tunnelQuestion(cluster, node);
    return question === undefined ? [] : [question];
  },
  read(context, [asked]): readonly Finding[] {
    const { cluster, node, host } = context;
    const { vxlan } = cluster;
    if (vxlan === undefined || tunnelQuestion(cluster, node) === undefined) {
      return [{
        is: "does not apply",
        what: vxlan === undefined
          ? "no tunnels are asked for"
          : "all other nodes are on this node's segment",
      }];
    }
    if (!host.complete.includes("08-routes")) {
      const other = asked && inTunnelsWay(cluster, node, asked);
      if (other !== undefined) {
        const { what, evidence, remedies } = other;
        return [{ is: "warning", what, evidence, remedies }];
      }
      return [{
        is: "not yet",
        what: `no ${tunnelLink} on this node, or not all that it needs`,
        until: "08-routes",
      }];
    }
    if (!asked?.outcome.stdout.includes("\nafter ")) {
      return [unclear("how the tunnels are", asked)];
    }
    // The check of the segments tells why nothing, or nothing long, comes back.
    const faults = tunnelFaults(cluster, node, asked).filter(({ is, far }) =>
      far === undefined ||
      !(is === "silent" && waysCause(context, { name: far }) ||
        is === "narrow" && narrowCause(context, { name: far }))
    );
    // A rule of the node's keeps all of them from it.
    const told = new Map(faults.map((fault) => [fault.cause.what, fault]));
    return [...told.values()].map(({ is, cause }): Finding => {
      const { what, evidence, remedies } = cause;
      const kind = is === "mute" || is === "left over" ? "warning" : "fault";
      // That is what runs here.
      const others = remedies.filter((remedy) =>
        !("make" in remedy && remedy.make === "doctor")
      );
      return { is: kind, what, evidence, remedies: others };
    });
  },
};
