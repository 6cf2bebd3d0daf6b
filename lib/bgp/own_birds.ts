/** Shell functions that find the birds of a machine. */
import { shellProgram } from "../exec/shell_program.ts";

/** The functions birds, answering and unread, for a POSIX shell. */
export const ownBirds = shellProgram("own_birds.sh", import.meta.url);
