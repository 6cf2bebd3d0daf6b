/**
 * Errors of every layer, as the caller is told them.
 */

import { remedy } from "../linux/errno.ts";
import { FileError } from "../linux/file_error.ts";
import { SystemError } from "../linux/libc.ts";
import { CniError, code } from "./protocol.ts";

/** Anything thrown, with a code and what to do about it. */
export function cniErrorOf(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const cause = { cause: error };
  if (error instanceof FileError) {
    return new CniError(code.io, error.message, error.details, cause);
  }
  if (error instanceof SystemError) {
    const details = remedy(error.errno);
    return new CniError(code.kernel, error.message, details, cause);
  }
  return new CniError(
    code.internal,
    error instanceof Error ? error.message : String(error),
    "this is a mistake in the plugin: please report it",
    cause,
  );
}
