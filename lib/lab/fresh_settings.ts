import { cmd, type Command } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";

const program = shellProgram("fresh_settings.sh", import.meta.url);

/** Gives the network namespace that it runs in the settings which the kernel itself begins with. */
export function freshSettings(): Command {
  return {
    ...cmd`sh -c ${program} fresh`,
    label: "set net.ipv4.conf and net.ipv6.conf to the kernel's own values",
  };
}
