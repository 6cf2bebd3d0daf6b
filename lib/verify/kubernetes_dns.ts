/** Whether pods can resolve the names of services. Pure. */
import { cmd, type Command, ending, type Outcome } from "../exec/command.ts";

/** What became of a name in a pod. */
export type Resolved =
  | { readonly answer: "yes"; readonly address: string }
  | { readonly answer: "no"; readonly said: string };

/**
 * Milliseconds that a name may take: a resolver tries again after 5 s
 * (resolv.conf(5), timeout).
 */
export const dns_ms = 8_000;

/**
 * Resolves kubernetes.default, a service that every cluster has. The cluster's
 * domain is in the pod's own resolv.conf; nslookup of busybox does not search.
 */
export function resolve(): Command {
  const script = 'for name in $(sed -n "s/^search //p" /etc/resolv.conf); do ' +
    "case $name in svc.*) break ;; esac; done; " +
    'timeout "$1" busybox nslookup "kubernetes.default.$name" 2>&1';
  return cmd`sh -c ${script} resolve ${dns_ms / 1000}`;
}

/** Reads what resolve() printed: the server and its own address come first. */
export function readResolved(outcome: Outcome): Resolved {
  const [, ...answers] = outcome.stdout.split(/^Name:/m);
  for (const answer of answers) {
    const address = /^Address(?: \d+)?:\s*([0-9a-fA-F.:]+)/m.exec(answer)?.[1];
    if (address !== undefined) return { answer: "yes", address };
  }
  const said = outcome.stdout.trim().split("\n").at(-1)?.trim() ||
    outcome.stderr.trim() || ending(outcome);
  return { answer: "no", said };
}
