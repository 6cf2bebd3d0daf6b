/** What can go wrong in a run of a stage, by class. */
/** A step that was refused or could not be decided. */
export class StepError extends Error {
  override readonly name = "StepError";
}

/**
 * What needs consent, and was not agreed to.
 *
 * @param left what was left out for that, e.g. "taken back"
 */
export function notAgreed(left: string): StepError {
  return new StepError(
    `not agreed to, so nothing was ${left}\n` +
      "what to do: look at it with --dry-run; where it is wanted, answer yes, or give -y",
  );
}

/** A journal that cannot be understood. */
export class JournalError extends Error {
  override readonly name = "JournalError";
}

/** A plugin that cannot be built; the message says what to do. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}
