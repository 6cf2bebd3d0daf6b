/**
 * The plugin's daemon on a node: a unit where systemd runs; in a lab, where its
 * cluster file asks for it, a process that ends with the node.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { put, saysAbsent } from "../exec/shell_file.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { unknown } from "../steps/probes.ts";
import type { Probe, Step } from "../stage/stage.ts";
import { daemonUnit, daemonUnitText } from "./daemon_unit.ts";

/** Its last step of stage 05, for a cluster that wants it. */
export function daemonSteps(
  { provider, plugin }: Pick<Cluster, "provider" | "plugin">,
): readonly Step[] {
  const daemon = plugin.daemon;
  if (provider === "lab") return daemon === true ? [processStep] : [];
  return daemon === false ? [] : [unitStep];
}

const program = `set -eu\n${put}${shellProgram("daemon.sh", import.meta.url)}`;

/** Names it in the journal, whatever its commands are. */
const key = "the plugin's daemon";

const why = "A process that stays makes the plugin's calls several times as " +
  "quickly; without it each is made by a process of its own";

function probe(action: string, more: readonly string[]): Probe {
  return {
    ask: cmd`sh -c ${program} daemon ${action} ${more}`,
    read(outcome) {
      if (outcome.code === 46) return { is: "unneeded" };
      if (saysAbsent(outcome)) return { is: "absent" };
      return succeeded(outcome)
        ? { is: "present", ours: true }
        : unknown(outcome, "whether the plugin's daemon runs");
    },
  };
}

const processStep: Step = {
  key,
  why,
  doneWhen: probe("ask", []),
  run: {
    ...cmd`sh -c ${program} daemon start`,
    label: "start deno-cni daemon",
  },
  undo: {
    cleanup: {
      ...cmd`sh -c ${program} daemon remove`,
      label: "deno-cni daemon stop",
    },
  },
};

const unit = [daemonUnit.path, daemonUnitText()];

const unitStep: Step = {
  key,
  why: `${why}; systemd starts it again whenever it ends`,
  doneWhen: probe("ask-unit", unit),
  run: {
    ...cmd`sh -c ${program} daemon start-unit ${unit}`,
    label: `write ${daemonUnit.path}, enable and start it`,
  },
  undo: {
    cleanup: {
      ...cmd`sh -c ${program} daemon remove ${daemonUnit.path}`,
      label: `disable and remove ${daemonUnit.path}`,
    },
  },
};
