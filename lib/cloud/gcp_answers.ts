/** Asking GCP: gcloud's commands, and what their answers say of what is there. */
import { readJson } from "./machines.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { GcpSettings } from "../cluster/schema_cloud.ts";
import { cmd, type Command, type Outcome, succeeded } from "../exec/command.ts";
import { unknown } from "../steps/probes.ts";
import type { Answer, Probe } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

/** The settings of a cluster whose provider is gcp; it has no others. */
export function gcpOf({ gcp, file }: Cluster): GcpSettings {
  if (gcp === undefined) throw new TypeError(`${file} has no key gcp`);
  return gcp;
}

/** A command of `gcloud compute`, for the cluster's project, that never asks back. */
export function gcloud(
  { project }: GcpSettings,
  ...args: readonly string[]
): Command {
  const whose = project === undefined ? [] : [`--project=${project}`];
  return cmd`gcloud compute ${args} ${whose} --quiet`;
}

/** Our mark on what GCP has of a cluster: its description. */
export function descriptionOf({ name }: Pick<Cluster, "name">): string {
  return `${mark} ${name}`;
}

/**
 * Is there a thing of this name in GCP, of this cluster's?
 *
 * @param describe asks for it
 * @param mistake what is wrong with one that is ours, if anything
 */
export function existsInGcp(
  cluster: Cluster,
  name: string,
  describe: Command,
  mistake: (thing: Record<string, unknown>) => string | undefined = () =>
    undefined,
): Probe {
  const by = describe.argv[2] ?? "";
  return {
    ask: { argv: [...describe.argv, "--format=json"] },
    read(outcome) {
      if (isAbsent(outcome, name)) return { is: "absent" };
      const thing = readJson(outcome.stdout);
      if (!succeeded(outcome) || !isObject(thing)) {
        return gcpUnknown(outcome, `whether GCP has ${name} (${by})`);
      }
      if (thing.description !== descriptionOf(cluster)) {
        return {
          is: "different",
          found: `GCP has ${name} (${by}), and this tool did not make it`,
          remedy:
            "give the cluster another name in its file, or take that away if nothing needs it",
        };
      }
      const wrong = mistake(thing);
      return wrong === undefined ? { is: "present", ours: true } : {
        is: "different",
        found: `${name} is not as the cluster file has it: ${wrong}`,
        remedy: `correct the file, or take ${name} back with --undo first`,
      };
    },
  };
}

/** Does a firewall rule let in whom it should? `from` is the flag that gives them: the very ones, or a file of flags. */
export function lets(name: string, from: string, describe: Command): Probe {
  const [flag = "", value = ""] = splitOnce(from, "=");
  const given = flag === "--source-ranges" ? value : "";
  const file = flag === "--flags-file" ? value : "";
  // The ranges that are wanted in the first line, then what there is.
  const script =
    'if [ -n "$2" ]; then sed -n "s/^--source-ranges: //p" "$2"; ' +
    'else echo "$1"; fi; shift 2; exec "$@"';
  return {
    ask:
      cmd`sh -c ${script} ask ${given} ${file} ${describe.argv} --format=json(sourceRanges)`,
    read(outcome) {
      if (isAbsent(outcome, name)) return { is: "absent" };
      const [wanted = "", said = ""] = splitOnce(outcome.stdout, "\n");
      const rule = readJson(said);
      if (!succeeded(outcome) || !isObject(rule) || wanted === "") {
        return gcpUnknown(outcome, `whom ${name} lets in`);
      }
      const there = Array.isArray(rule.sourceRanges) ? rule.sourceRanges : [];
      return there.map(String).toSorted().join() ===
          wanted.split(",").toSorted().join()
        ? { is: "present" }
        : { is: "absent" };
    },
  };
}

/** GCP's answer 404, in gcloud's words; about this very thing, not its zone or project. */
export function isAbsent({ code, stderr }: Outcome, name: string): boolean {
  return code === 1 && stderr.includes(`/${name}' was not found`);
}

/** What to make of a command of gcloud that did not succeed. */
export function gcpUnknown(outcome: Outcome, what: string): Answer {
  if (outcome.ended === "no such command") {
    return {
      is: "unknown",
      reason:
        "gcloud is missing on this machine: install it, https://cloud.google.com/sdk/docs/install",
    };
  }
  const answer = unknown(outcome, what);
  const said = outcome.stderr;
  const way = /auth login|credentials|not currently have an active account/
      .test(said)
    ? "gcloud wants an account: gcloud auth login"
    : /property \[project\]/.test(said)
    ? "gcloud wants a project: gcloud config set project NAME, or the key gcp.project of the cluster file"
    : undefined;
  if (answer.is !== "unknown" || way === undefined) return answer;
  return { is: "unknown", reason: `${answer.reason}\n${way}` };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function splitOnce(text: string, at: string): [string, string] {
  const place = text.indexOf(at);
  return place < 0
    ? [text, ""]
    : [text.slice(0, place), text.slice(place + at.length)];
}
