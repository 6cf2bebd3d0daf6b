/** The question for a node's settings of interfaces. */
import { cmd, type Command } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { interfaceSettings } from "../net/interface_settings.ts";

/** Asks for all settings of interfaces, but for those of the pods' veths. */
export const askInterfaceSettings: Command = {
  ...cmd`sh -c ${shellProgram("ask_settings.sh", import.meta.url)} settings ${
    interfaceSettings.map(({ family, name }) => `ipv${family}/${name}`)
  }`,
  label: "sysctl -a -r 'net.ipv[46].conf'",
};
