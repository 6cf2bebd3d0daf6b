/** What is wrong, with what shows it and what mends it. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Evidence } from "./evidence.ts";
import { type Remedy, remedyLine } from "./remedy.ts";
import { printable } from "../text/printable.ts";

/** What kind of thing is wrong; for programs that read `-o json`. */
export type CauseKind =
  | "bridge"
  | "bridge-address"
  | "check"
  | "configuration"
  | "dns"
  | "duplicate-address"
  | "executable"
  | "forwarding"
  | "image"
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
  & { readonly mend: readonly string[] };

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
  const mend = remedies.map((remedy) => remedyLine(remedy, cluster));
  return { ...finding, what: printable(finding.what), mend };
}

/** What a cause rests on, and what mends it: a line each, without indentation. */
export function causeLines(
  { evidence, mend }: Pick<CauseReport, "evidence" | "mend">,
): string[] {
  return [
    ...evidence.flatMap(({ where, command, printed }) => [
      printable(`${where}$ ${command}`),
      ...printed.split("\n").map((line) => `  ${printable(line)}`),
    ]),
    ...mend.map((line) => `mend: ${line}`),
  ];
}
