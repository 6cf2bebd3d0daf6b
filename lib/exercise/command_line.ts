/** The command `exercise` as its user sees it. */
import { usualExits } from "../cli/exit_code.ts";
import type { CommandLine } from "../cli/flags.ts";
import { standard } from "../cli/standard_flags.ts";

/** Its words and flags. */
export const exerciseCommand = {
  name: "exercise",
  summary: "something broken, to be found and repaired",
  usage: [
    "scripts/exercise.ts [N | N-hint | N-check | N-reset] [flags]",
    'make exercise [N | N-hint | N-check | N-reset] [ARGS="flags"]',
  ],
  text: [
    "An exercise wants a whole lab (make up, or make tour). Find the cause with " +
    "the trace, and repair it with one stage. make up repairs every exercise, too.",
  ],
  examples: [
    ["make exercise", "lists the exercises"],
    ["make exercise 1", "breaks something in the lab, and tells the symptom"],
    ["make exercise 1-hint", "says where to look; each time a little more"],
    ["make exercise 1-check", "marks it: solved, or what is still wrong"],
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
