/** What the router between a lab's segments says of itself: one question. */
import type { Cluster } from "../../cluster/cluster.ts";
import { routerName } from "../../cluster/segments.ts";
import type { RunOptions } from "../../exec/command.ts";
import {
  type InterfaceValues,
  readInterfaceValues,
} from "../../net/interface_settings.ts";
import { askAll } from "../../node/batch.ts";
import { type Runner, UnreachableError } from "../../node/node.ts";
import { askInterfaceSettings } from "../ask_settings.ts";
import {
  type KernelSurvey,
  readSurvey,
  surveyQuestion,
} from "../kernel_path/survey.ts";

/** The router's answer, or why there is none. */
export type RouterAnswer =
  | {
    readonly is: "read";
    readonly survey: KernelSurvey;
    readonly settings: InterfaceValues;
  }
  | { readonly is: "gone"; readonly why: string };

/**
 * Asks the router; changes nothing.
 *
 * @returns undefined where there is none, or it says what cannot be read
 */
export async function askRouter(
  { segments }: Pick<Cluster, "segments">,
  nodeOf: (name: string) => Runner,
  options: RunOptions,
): Promise<RouterAnswer | undefined> {
  if (segments === undefined) return undefined;
  try {
    const questions = [surveyQuestion, askInterfaceSettings];
    const [about, values] = await askAll(
      nodeOf(routerName),
      questions.map((command) => ({ where: routerName, command })),
      options,
    );
    const survey = about && readSurvey({ node: routerName }, about.outcome);
    if (survey === undefined || values === undefined) return undefined;
    const settings = readInterfaceValues(values.outcome.stdout);
    return { is: "read", survey, settings };
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    return { is: "gone", why: error.reason };
  }
}
