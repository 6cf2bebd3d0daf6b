/**
 * The pods that live beside the test pods: test pods that were made after a trouble
 * say nothing of those that were there before it. Pure.
 */
import { cmd, show } from "../exec/command.ts";
import type { Cause } from "../diagnosis/cause.ts";
import { onNode } from "../diagnosis/remedy.ts";
import {
  type CutOff,
  cutOff,
  plugIn,
  podBehind,
  someNames,
  wantsHairpin,
} from "../inventory/pod_veths.ts";
import { ownerOf } from "../../plugin/veth.ts";
import { podAttachment, podNames } from "./namespace_pods.ts";
import type { Site, Situation } from "./situation.ts";

/** A node some of whose pods are cut off. */
export interface OthersTried {
  readonly node: string;
  /** How many. */
  readonly cutOff: number;
  readonly cause: Cause;
}

/** The nodes with pods whose host veths carry nothing to the bridge. */
export function tryOthers(
  { sites, cluster: { bridge } }: Situation,
  selected: readonly string[],
): readonly OthersTried[] {
  return [...sites.values()].filter(({ node }) => selected.includes(node.name))
    .flatMap((site): readonly OthersTried[] => {
      const cut = cutOff(site.survey.links, bridge).filter(isOthers);
      if (cut.length === 0) return [];
      const cause = causeOf(site, cut, bridge);
      return [{ node: site.node.name, cutOff: cut.length, cause }];
    });
}

const own = new Set(podNames.map((pod) => podAttachment(pod).containerId));

/** Of the test pods it is seen by their paths. */
function isOthers({ link: { alias = "" } }: CutOff): boolean {
  return !own.has(ownerOf(alias)?.containerID ?? "");
}

/** As many links are shown. */
const few = 3;

function causeOf(
  { node: { name }, survey }: Site,
  cut: readonly CutOff[],
  bridge: string,
): Cause {
  const names = cut.map(({ link }) => podBehind(link, { pods: [] }));
  const pods = cut.length === 1 ? "a pod is" : `${cut.length} pods are`;
  const shown = cut.slice(0, few).map(({ link: { name, alias, ...link } }) =>
    JSON.stringify({ name, alias, master: link.master, up: link.up })
  );
  return {
    kind: "pod-link",
    on: name,
    what: `${pods} cut off on ${name}, for the host veth is up and a port of ` +
      `${bridge} no more: ${someNames(names)}`,
    evidence: [{
      where: name,
      command: show(cmd`ip -j -d addr show`),
      printed: [
        ...shown,
        ...(cut.length > few ? [`… ${cut.length - few} links more`] : []),
      ].join("\n"),
    }],
    remedies: [onNode(name, plugIn(cut, bridge, wantsHairpin(survey)))],
  };
}
