/** What a check makes of an answer of kubectl's. Pure. */
import { saysAbsent } from "../exec/shell_file.ts";
import { succeeded } from "../exec/command.ts";
import type { Asked } from "../node/batch.ts";
import { saysSilent } from "../kubernetes/kubectl.ts";
import { type Finding, unclear } from "./check.ts";

/**
 * What is found in an answer; without one, why there is none.
 *
 * @param what what was asked, a clause
 * @param read finds in what kubectl printed
 */
export function fromKubectl(
  what: string,
  asked: Asked | undefined,
  read: (printed: string) => readonly Finding[],
): readonly Finding[] {
  if (asked === undefined) return [unclear(what, asked)];
  const { outcome } = asked;
  if (saysAbsent(outcome)) {
    return [{
      is: "not yet",
      what: "there is no Kubernetes",
      until: "02-kubeadm",
    }];
  }
  if (saysSilent(outcome)) {
    return [{ is: "does not apply", what: "the API server does not answer" }];
  }
  return succeeded(outcome) ? read(outcome.stdout) : [unclear(what, asked)];
}
