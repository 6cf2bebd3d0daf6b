/** The exit codes of every script. */
export const exitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  unreachable: 4,
  interrupted: 130,
} as const;

/** What they mean, where a script says nothing else. */
export const usualExits: Readonly<Record<keyof typeof exitCode, string>> = {
  done: "done",
  failed: "a step or check failed",
  usage: "wrong flags or cluster file",
  unreachable: "a node could not be reached",
  interrupted: "interrupted",
};
