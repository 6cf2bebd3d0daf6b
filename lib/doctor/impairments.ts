/** The doctor's check of links that were impaired on purpose. Pure. */
import { cmd } from "../exec/command.ts";
import {
  impairedLink,
  impairmentProgram,
  readImpairments,
} from "../impair/impairment.ts";
import { partsCommand, readParts } from "../node/parts.ts";
import { type Check, type Finding, shownBy, unclear } from "./check.ts";

/** A text that no part of an answer holds: no link has a name of that length. */
const boundary = "deno-cni-impairments";

/** Whether `make impair` left nothing on the links of a lab. */
export const impairments: Check = {
  name: "impaired-links",
  well: "no link is impaired on purpose",
  asks: ({ cluster, host }) =>
    cluster.provider === "lab"
      ? [{
        ...partsCommand(
          impairmentProgram(host.pods.map(({ name }) => name)),
          boundary,
        ),
        label: "sh -c … impaired",
      }]
      : [],
  read(context, [asked]) {
    const { cluster, node } = context;
    if (cluster.provider !== "lab") {
      return [{
        is: "does not apply",
        what: "only a lab's links are impaired on purpose",
      }];
    }
    const parts = asked && readParts(asked.outcome, boundary);
    if (parts === undefined) {
      return [unclear("which links are impaired on purpose", asked)];
    }
    return readImpairments(parts).map(({ pod, says }): Finding => {
      const whose = pod === undefined
        ? node.name
        : `pod ${pod} on ${node.name}`;
      const enter = pod === undefined
        ? []
        : ["nsenter", `--net=/run/netns/${pod}`];
      const shown = says.startsWith("nftables")
        ? [...enter, ..."nft list table inet impair".split(" ")]
        : [...enter, "tc", "qdisc", "show", "dev", impairedLink];
      const [program = "", ...args] = shown;
      return {
        is: "warning",
        what:
          `what leaves by ${impairedLink} of ${whose} is impaired on purpose: ` +
          says,
        evidence: [shownBy(context, cmd`${program} ${args}`)],
        remedies: [{
          make: "impair",
          variables: {
            NODE: node.name,
            ...(pod === undefined ? {} : { POD: pod }),
            ARGS: "--undo",
          },
        }],
      };
    });
  },
};
