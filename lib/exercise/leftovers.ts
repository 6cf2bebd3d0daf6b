/**
 * What a repair by hand left on a node, and the command that takes it away or
 * puts it back. Pure; lines are those of a fingerprint.
 */
import { cmd, type Command } from "../exec/command.ts";
import { words } from "../net/iptables.ts";
import { routeProtocol } from "../steps/probes.ts";

/** Something on a node that is not as it was before an exercise. */
export interface Leftover {
  readonly node: string;
  readonly line: string;
  /** Whether it came, or is gone. */
  readonly is: "added" | "gone";
  /** Undefined where the stages see to it, or no one command does. */
  readonly mend?: Command;
}

/** What is no longer as it was on a node. */
export function leftovers(
  node: string,
  { gone, added }: {
    readonly gone: readonly string[];
    readonly added: readonly string[];
  },
): readonly Leftover[] {
  const of = (is: Leftover["is"], line: string): Leftover => {
    const mend = is === "added" ? removal(line) : restoration(line);
    return { node, line, is, ...(mend === undefined ? {} : { mend }) };
  };
  return [
    ...added.map((line) => of("added", line)),
    ...gone.map((line) => of("gone", line)),
  ];
}

/** What takes away what a line of a fingerprint tells of. */
function removal(line: string): Command | undefined {
  const [, route] = /^ip route (.*)$/.exec(line) ?? [];
  if (route !== undefined) {
    return cmd`ip ${familyFlag(route)} route del ${words(route)}`;
  }
  const [, program = "", table = "", verb, chain = "", rest = ""] =
    /^(ip6?tables) -t (\S+) -([ANP]) (\S+) ?(.*)$/.exec(line) ?? [];
  switch (verb) {
    case "A":
      return cmd`${program} -w -t ${table} -D ${chain} ${words(rest)}`;
    case "N":
      return cmd`${program} -w -t ${table} -X ${chain}`;
    case "P":
      return cmd`${program} -w -t ${table} -P ${chain} ACCEPT`;
  }
  const [, address, link] = /^address (\S+) on (\S+)$/.exec(line) ?? [];
  return address === undefined
    ? undefined
    : cmd`ip addr del ${address} dev ${link ?? ""}`;
}

/** What puts it back. What bears our mark, a stage makes anew. */
function restoration(line: string): Command | undefined {
  const isOurs = line.endsWith(` proto ${routeProtocol}`) ||
    /--comment "?deno-cni/.test(line);
  if (isOurs) return undefined;
  const [, name, value] = /^(\S+) = (.*)$/.exec(line) ?? [];
  if (name !== undefined) return cmd`sysctl -w ${`${name}=${value}`}`;
  const [, route] = /^ip route (.*)$/.exec(line) ?? [];
  if (route !== undefined) {
    return cmd`ip ${familyFlag(route)} route add ${words(route)}`;
  }
  const [, program = "", rest] = /^(ip6?tables) (-t .*)$/.exec(line) ?? [];
  if (rest !== undefined) return cmd`${program} -w ${words(rest)}`;
  const [, address, link] = /^address (\S+) on (\S+)$/.exec(line) ?? [];
  return address === undefined
    ? undefined
    : cmd`ip addr add ${address} dev ${link ?? ""}`;
}

function familyFlag(route: string): readonly string[] {
  return route.includes(":") ? ["-6"] : [];
}
