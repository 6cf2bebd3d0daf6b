/** How scripts end. */
/** The exit codes of every script. */
export const exitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  unreachable: 4,
  interrupted: 130,
} as const;
