/** The doctor's check of the agent that keeps a node's network. Pure. */
import { cmd } from "../exec/command.ts";
import { isSilent } from "../inventory/agent.ts";
import { type Check, type Finding, shownBy } from "./check.ts";

const file = "/run/deno-cni/agent.json";

export const agentCheck: Check = {
  name: "agent",
  well: "the agent's last run was clean, and the API server answers it",
  read(context) {
    const { host: { agent } } = context;
    if (agent === undefined) {
      return [{ is: "does not apply", what: "no agent runs on this node" }];
    }
    const evidence = [shownBy(context, cmd`cat ${file}`)];
    const warning = (what: string, say: string): Finding => ({
      is: "warning",
      what,
      evidence,
      remedies: [{ say }],
    });
    if (isSilent(agent)) {
      const minutes = Math.round(agent.age_s / 60);
      return [
        warning(
          `the agent has written nothing for ${minutes} minutes: it is dead or stuck, and ` +
            "nothing repairs this node's network",
          "look at its pod's log (kubectl logs), or start it again; where there is to be " +
            `none any more, remove ${file}`,
        ),
      ];
    }
    const { problems, unreachable } = agent;
    return [
      ...problems.map((problem) =>
        warning(
          `the agent: ${problem}`,
          "mend what it names; the agent tries again by itself",
        )
      ),
      ...(unreachable === undefined ? [] : [
        warning(
          "the agent does not reach the API server, so nodes that join or leave " +
            `go unnoticed: ${unreachable}`,
          "look at the API server, and at the way to it from this node",
        ),
      ]),
    ];
  },
};
