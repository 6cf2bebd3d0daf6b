/** What stage 01 does alike for AWS and GCP, on the operator's machine. */
import { askPath, exitAbsent, put, writeOutput } from "../exec/shell_file.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import {
  cmd,
  type Command,
  type Outcome,
  show,
  succeeded,
} from "../exec/command.ts";
import { identityFile, machinesPath } from "../cluster/found_machines.ts";
import { unknown } from "../steps/probes.ts";
import { whereThere } from "../steps/file_probes.ts";
import type { Answer, Step } from "../stage/stage.ts";

const here = import.meta.dirname;
/** Asks from where the operator calls, and writes it down. */
export const addressScript = `${here}/operator_address.sh`;
const takeAwayScript = `${here}/delete_if_present.sh`;
const greetingScript = `${here}/wait_for_sshd.ts`;

/** Milliseconds for a question to a cloud, which may be long in answering. */
export const cloudLimit_ms = 120_000;

/** Something that has to be so before anything is made: nothing to run, nothing to undo. */
export function condition(
  why: string,
  ask: Command,
  read: (outcome: Outcome) => Answer,
): Step {
  return { why, doneWhen: { ask, read }, run: ask, timeout_ms: cloudLimit_ms };
}

/** The ssh key pair of the cluster's machines; the private half never leaves this machine. */
export function keyStep(cluster: Cluster): Step {
  const file = identityFile(cluster);
  const folder = file.slice(0, file.lastIndexOf("/"));
  const make = put + 'umask 077; mkdir -p "${1%/*}"; ' +
    '[ -e "$1" ] || ssh-keygen -q -t ed25519 -N "" -C "$2" -f "$1"; ' +
    '[ -e "$1.pub" ] || put "$1.pub" 600 ssh-keygen -y -f "$1"';
  const ask = `[ -e "$1.pub" ] || ${exitAbsent}; stat -c %a "$1"`;
  return {
    why: "The machines let in whoever has this key, and nobody has a password",
    key: "the ssh key",
    doneWhen: whereThere(askPath(file, ask), `what ${file} is`, (text) => {
      const mode = text.trim();
      if (mode === "600") return { is: "present", ours: true };
      return {
        is: "different",
        found: `${file} may be read by others (mode ${mode})`,
        remedy: `chmod 600 ${file}, or remove it if somebody has seen it`,
      };
    }),
    run: {
      ...cmd`sh -euc ${make} key ${file} ${`deno-cni-${cluster.name}`}`,
      label: `ssh-keygen -t ed25519 -f ${file}`,
    },
    // The last to go: what is known of machines is needed until they are gone.
    undo: cmd`rm -rf ${folder} ${machinesPath(cluster)}`,
  };
}

/**
 * Writes down from where the operator calls.
 *
 * @param file for terraform where it ends in .tfvars.json, else for gcloud's --flags-file
 */
export function addressStep(file: string): Step {
  return {
    why:
      "ssh shall be open to your own address alone; a site that says who calls knows it",
    key: "your own address",
    doneWhen: {
      ask: cmd`sh ${addressScript} ask ${file}`,
      read(outcome) {
        if (!succeeded(outcome)) return unknown(outcome, "your own address");
        const answer = outcome.stdout.trim();
        if (answer === "same") return { is: "present", ours: true };
        return answer === "other"
          ? { is: "absent" }
          : unknown(outcome, "your own address");
      },
    },
    // No undo: the file goes with its folder, when nothing needs it any more.
    run: cmd`sh ${addressScript} write ${file}`,
  };
}

/** Writes down what the cloud's tool says of the machines. */
export function machinesStep(cluster: Cluster, list: Command): Step {
  const path = machinesPath(cluster);
  const ask = 'set -eu; file=$1; shift; new=$("$@"); ' +
    'if [ "$new" = "$(cat "$file")" ]; then echo same; else echo other; fi';
  return {
    why: "Where the machines are and who they are, for the stages that follow",
    key: "what is known of the machines",
    doneWhen: whereThere(
      askPath(path, ask, ...list.argv),
      "which machines there are",
      (text) =>
        text.trim() === "same"
          ? { is: "present", ours: true }
          : { is: "absent" },
    ),
    run: {
      ...writeOutput(path, "600", list),
      label: `${list.label ?? show(list)} > ${path}`,
    },
    timeout_ms: cloudLimit_ms,
  };
}

/** Waits for a new machine to let ssh in. */
export function greetingStep(cluster: Cluster, { name }: ClusterNode): Step {
  const call = (what: "ask" | "wait") =>
    cmd`${Deno.execPath()} run --quiet -A ${greetingScript} ${what} ${cluster.provider} ${
      machinesPath(cluster)
    } ${cluster.name} ${name}`;
  return {
    why: "A machine that was just made takes a while until its sshd greets",
    node: name,
    doneWhen: {
      ask: call("ask"),
      read(outcome) {
        if (!succeeded(outcome)) {
          return unknown(outcome, `whether ${name} greets`);
        }
        return outcome.stdout.trim() === "greets"
          ? { is: "present" }
          : { is: "absent" };
      },
    },
    run: { ...call("wait"), label: `wait for the sshd of ${name}` },
    timeout_ms: 330_000,
  };
}

/**
 * Takes something away in a cloud, where it is still there.
 *
 * @param gone how the cloud's tool says that it is not
 */
export function deleteIfPresent(gone: string, command: Command): Command {
  return {
    ...cmd`sh ${takeAwayScript} ${gone} ${command.argv}`,
    label: command.label ?? show(command),
  };
}

/** What a cloud's tool printed with `--output json` or `--format=json`; undefined when it is none. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
