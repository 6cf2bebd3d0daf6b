/** What is wrong, with what shows it and what mends it. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Evidence } from "./evidence.ts";
import { isLook, type Remedy, remedyLine } from "./remedy.ts";
import { printable } from "../text/printable.ts";

/** What kind of thing is wrong; for programs that read `-o json`. */
export type CauseKind =
  | "bgp"
  | "bridge"
  | "bridge-address"
  | "check"
  | "configuration"
  | "dns"
  | "duplicate-address"
  | "executable"
  | "forwarding"
  | "host-port"
  | "image"
  | "kernel-table"
  | "kubelet"
  | "lease"
  | "masquerade"
  | "mtu"
  | "neighbour"
  | "node"
  | "node-route"
  | "not-yet-complete"
  | "outside"
  | "packet-path"
  | "pod-address"
  | "pod-link"
  | "pod-route"
  | "receiver"
  | "route"
  | "routing-rule"
  | "rp-filter"
  | "rule"
  | "segment"
  | "setting"
  | "start"
  | "tunnel"
  | "unknown";

/** The likeliest cause of what was not expected. */
export interface Cause {
  readonly kind: CauseKind;
  /** Where: a node's name, or "outside". */
  readonly on: string;
  /** What is wrong, in a sentence without its full stop. */
  readonly what: string;
  readonly evidence: readonly Evidence[];
  /** What mends it, in this order. */
  readonly remedies: readonly Remedy[];
}

/** Something as it is reported: its remedies are lines to paste, or to read. */
export type Reported<Finding extends Pick<Cause, "what" | "remedies">> =
  & Omit<Finding, "remedies">
  & {
    readonly mend: readonly string[];
    /** What shows more, and mends nothing; none where there is nothing of the kind. */
    readonly look?: readonly string[];
  };

/** A cause as it is reported. */
export type CauseReport = Reported<Cause>;

/**
 * Reports a cause, or another finding that has remedies. What it says of a
 * node's names is fit for a terminal from here on.
 */
export function reported<Finding extends Pick<Cause, "what" | "remedies">>(
  { remedies, ...finding }: Finding,
  cluster: Pick<Cluster, "file">,
): Reported<Finding> {
  const line = (remedy: Remedy) => remedyLine(remedy, cluster);
  const looks = remedies.filter(isLook);
  return {
    ...finding,
    what: printable(finding.what),
    mend: remedies.filter((remedy) => !isLook(remedy)).map(line),
    ...(looks.length === 0 ? {} : { look: looks.map(line) }),
  };
}

/** Begins a line to paste, which stays in one line however long it is. */
export const pasteLine = /^ *(mend|look): /;

/** What a cause rests on, and what mends it: a line each, without indentation. */
export function causeLines(
  { evidence, mend, look = [] }: Pick<
    CauseReport,
    "evidence" | "mend" | "look"
  >,
): string[] {
  return [
    ...evidence.flatMap(({ where, command, printed }) => [
      printable(`${where}$ ${command}`),
      ...printed.split("\n").map((line) =>
        `  ${printable(line.replaceAll("\t", "    "))}`
      ),
    ]),
    ...mend.map((line) => `mend: ${line}`),
    ...look.map((line) => `look: ${line}`),
  ];
}
