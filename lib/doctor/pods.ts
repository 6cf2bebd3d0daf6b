/** The doctor's checks of pods that live: whether they are plugged in. Pure. */
import { cmd } from "../exec/command.ts";
import { type Check, shownBy } from "./check.ts";
import { onNode } from "../diagnosis/remedy.ts";
import {
  cutOff,
  plugIn,
  podBehind,
  someNames,
  wantsHairpin,
} from "../inventory/pod_veths.ts";

/** As many links are shown. */
const few = 3;

const cutOffPods: Check = {
  name: "cut-off-pods",
  well: "every pod that lives is plugged into the bridge",
  read(context) {
    const { cluster: { bridge }, host, node } = context;
    const cut = cutOff(host.links, bridge);
    if (cut.length === 0) return [];
    const names = cut.map(({ link, how }) =>
      `${podBehind(link, host)} (${link.name} ${how})`
    );
    const plug = plugIn(cut, bridge, wantsHairpin(host));
    const hasBridge = host.links.some(({ name }) => name === bridge);
    return [{
      is: "fault",
      what: `${
        cut.length === 1 ? "a pod that lives is" : `${cut.length} pods are`
      } cut off: ${someNames(names)}`,
      evidence: cut.slice(0, few).map(({ link }) =>
        shownBy(context, cmd`ip -d link show dev ${link.name}`)
      ),
      remedies: [
        ...(hasBridge
          ? []
          : [{ stage: "04-bridge", node: node.name } as const]),
        onNode(node.name, plug),
      ],
    }];
  },
};

export const podChecks: readonly Check[] = [cutOffPods];
