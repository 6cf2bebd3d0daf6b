/** What a person has to agree to. */

/** What needs consent: asked for at the terminal once a run, given beforehand by `-y`. */
export interface Consent {
  /** What the step does that costs money, as the end of "This will …". */
  readonly apply: string;
  /** What its undo does that cannot be had again, put the same way. */
  readonly undo?: string;
}

/** What a person is asked to agree to. */
export interface ConsentRequest {
  /** The end of "This will …". */
  readonly what: string;
  /** What is known of it beforehand. */
  readonly preview?: string;
  /** All commands of this run that need consent, a line each. */
  readonly commands: readonly string[];
}
