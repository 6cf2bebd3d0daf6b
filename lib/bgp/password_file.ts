/** The operator's file with the password of all sessions (RFC 2385). */
import { cmd, type Command } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";

const readPassword = shellProgram("read_password.sh", import.meta.url);

/**
 * Prints the password that a file holds; fails, with why and what was expected,
 * where it holds none that BIRD and TCP take, or others may read it.
 *
 * @param file absolute, or below `~`
 */
export function passwordIn(file: string): Command {
  return cmd`sh -c ${readPassword} read ${file}`;
}
