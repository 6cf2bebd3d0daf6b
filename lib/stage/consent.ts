/** What a person has to agree to. */

/** Questions to the person at the terminal, who answers once a run; `-y` says yes. */
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
