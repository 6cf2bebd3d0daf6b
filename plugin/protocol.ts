/**
 * What the plugin and its caller say to each other: versions, result shapes,
 * error codes. Source of every rule: the CNI specification 1.1.0 (SPEC.md of
 * containernetworking/cni), by the section named beside it.
 */

/** Error codes: SPEC.md, "Error"; from 100 on they are this plugin's own. */
export const code = {
  version: 1,
  unsupportedField: 2,
  noContainer: 3,
  environment: 4,
  io: 5,
  decoding: 6,
  configuration: 7,
  ownNamespace: 8,
  tryAgain: 11,
  cannotAdd: 50,
  cannotAddAndSuffering: 51,
} as const;

/** What went wrong, in the shape that the caller is told. */
export class CniError extends Error {
  override readonly name = "CniError";

  /**
   * @param code one of {@linkcode code}, or one of our own from 100 on
   * @param message one line: which step, on what, what was found
   * @param details what to do about it
   */
  constructor(
    readonly code: number,
    message: string,
    readonly details: string = "",
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
