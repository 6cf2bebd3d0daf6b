/** What can go wrong in a run of a stage, by class. */
/** A step that was refused or could not be decided. */
export class StepError extends Error {
  override readonly name = "StepError";
}

/** A journal that cannot be understood. */
export class JournalError extends Error {
  override readonly name = "JournalError";
}

/** A plugin that cannot be built; the message says what to do. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}
