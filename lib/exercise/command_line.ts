/** The command `exercise` as its user sees it. */
import { usualExits } from "../cli/exit_code.ts";
import type { CommandLine } from "../cli/flags.ts";
import { standard } from "../cli/standard_flags.ts";

/** Its words and flags. */
export const exerciseCommand = {
  name: "exercise",
  summary: "something broken, to be found and repaired",
  usage: [
    "scripts/exercise.ts [N | N-hint | N-check | N-explain | N-reset] [flags]",
    "scripts/exercise.ts surprise[-hint | -check | -explain | -reset] [flags]",
    'make exercise [N | surprise | N-check | …] [ARGS="flags"]',
  ],
  text: [
    "An exercise wants a whole lab (make up, or make tour). Find the cause with " +
    "the trace or the doctor, and repair it. The check asks the cluster, and " +
    "finds what only hides a fault.",
  ],
  examples: [
    ["make exercise", "lists the exercises, in four steps of difficulty"],
    ["make exercise 1", "breaks something in the lab, and tells the symptom"],
    ["make exercise 1-hint", "says where to look; each time a little more"],
    ["make exercise 1-check", "marks it: solved, or what is still wrong"],
    ["make exercise 1-explain", "tells all of it, and what repairs it"],
    ["make exercise surprise", "breaks something at random, and tells nothing"],
    ["make exercise 1-reset", "puts the lab back as it was before it"],
  ],
  flags: standard("cluster", "output", "quiet", "timeout_ms"),
  takes: "words",
  exits: {
    ...usualExits,
    done: "done, or solved",
    failed: "not solved, or not set up",
  },
} satisfies CommandLine;
