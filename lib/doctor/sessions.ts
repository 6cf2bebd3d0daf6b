/** The doctor's check of BGP sessions. Pure. */
import { bgpQuestion, isWholeBgp } from "../diagnosis/bgp/answer.ts";
import { bgpFaults } from "../diagnosis/bgp/bgp.ts";
import { waysCause } from "./segments.ts";
import { type Check, type Finding, unclear } from "./check.ts";

export const sessionCheck: Check = {
  name: "sessions",
  well: "all BGP sessions are up, and bring nothing that they must not",
  asks: ({ cluster }) => [bgpQuestion(cluster) ?? []].flat(),
  read(context, [asked]): readonly Finding[] {
    const { cluster, node, host } = context;
    if (cluster.bgp === undefined) {
      return [{ is: "does not apply", what: "no BGP is asked for" }];
    }
    if (!host.complete.includes("08-routes")) {
      return [{
        is: "not yet",
        what: "no bird of ours, or not all that it needs",
        until: "08-routes",
      }];
    }
    if (asked === undefined || !isWholeBgp(asked)) {
      return [unclear("how the BGP sessions are", asked)];
    }
    // The check of the segments tells why nothing comes from the other end.
    const isTold = ({ node }: { readonly node?: string }) =>
      node !== undefined && waysCause(context, { name: node }) !== undefined;
    const faults = bgpFaults(cluster, node, asked)
      .filter(({ by, sessions = [] }) =>
        by !== "guess" || sessions.length === 0 || !sessions.every(isTold)
      );
    return faults.map(({ is, cause }): Finding => {
      const { what, evidence, remedies } = cause;
      const kind = is === "drift" || is === "refused" ? "warning" : "fault";
      return { is: kind, what, evidence, remedies };
    });
  },
};
