/** What is on the nodes counts, also where no journal tells of it. */
import type { RunOptions } from "../exec/command.ts";
import { mark } from "../net/mark.ts";
import { withAdopted } from "../stage/adopted.ts";
import { otherNodes } from "../stage/run_stage.ts";
import type { Stage, StageName } from "../stage/stage.ts";
import type { Site, Situation } from "./situation.ts";

/**
 * The situation with the stages that are whole on a node and ours, done by a stage or by
 * hand.
 *
 * @param stages those whose probes are known; of 03 and 05 the survey tells
 * @throws {UnreachableError}
 */
export async function adopting(
  situation: Situation,
  stages: readonly Stage[],
  options: RunOptions,
): Promise<Situation> {
  const { cluster, sites, progress } = situation;
  const others = otherNodes({
    nodeOf(name) {
      const site = sites.get(name);
      if (site === undefined) throw new TypeError(`no node ${name}`);
      return site.runner;
    },
  });
  const all = await Promise.all(
    [...sites.values()].map(async (site) => {
      const { node, runner, complete } = site;
      const known = [...new Set([...complete, ...surveyed(site)])];
      const found = await withAdopted(
        known,
        runner,
        cluster,
        node.podCIDRs.length === 0 ? [] : stages,
        others,
        options,
      );
      return [node.name, found] as const;
    }),
  );
  return { ...situation, progress: { ...progress, complete: new Map(all) } };
}

/** The stages of which the survey shows that they are there. */
function surveyed({ node, survey }: Site): readonly StageName[] {
  const text = survey.list?.text ?? "";
  const isOurs = text.includes(`"${mark}"`) && node.podCIDRs.length > 0 &&
    node.podCIDRs.every((podCIDR) => text.includes(`"${podCIDR}"`));
  return [
    ...(isOurs ? ["03-cni-config"] as const : []),
    ...(survey.plugins.includes(mark) ? ["05-plugin"] as const : []),
  ];
}
