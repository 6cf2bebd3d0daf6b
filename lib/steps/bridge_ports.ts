/** The pods of a node that are plugged into no bridge, as after the bridge was deleted. */
import { aliasPrefixes } from "../../plugin/veth.ts";
import { cmd, type Command, succeeded } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { mark } from "../net/mark.ts";
import { unknown } from "./probes.ts";
import type { Step } from "../stage/stage.ts";

const program = shellProgram("bridge_ports.sh", import.meta.url);

/**
 * Plugs the host veths of our network that are a port of no bridge into this
 * one. A node without such veths has no use for it. Nothing takes it back: they
 * go with their pods.
 *
 * @param hairpin whether the ports are to be in hairpin mode, as the plugin makes them
 */
export function plugPorts(bridge: string, hairpin: boolean): Step {
  const run = (todo: "ask" | "plug"): Command =>
    cmd`sh -c ${program} ports ${todo} ${bridge} ${hairpin ? "on" : "off"} ${
      aliasPrefixes(mark)
    }`;
  return {
    key: "pods whose bridge was deleted",
    why: "A deleted bridge leaves the veths of pods that live without a switch",
    doneWhen: {
      ask: run("ask"),
      read(outcome) {
        if (!succeeded(outcome)) {
          return unknown(outcome, "which pods have no bridge");
        }
        return { is: outcome.stdout.trim() === "" ? "unneeded" : "absent" };
      },
    },
    run: run("plug"),
  };
}
