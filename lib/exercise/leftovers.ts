/**
 * What on a node is no longer as it was before an exercise, and the command
 * that takes it away or puts it back. Pure; lines are those of a fingerprint.
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
    const [, pod, inner = line] = /^pod (\S+): (.*)$/.exec(line) ?? [];
    const bare = is === "added" ? removal(inner) : restoration(inner);
    const mend: Command | undefined = bare === undefined || pod === undefined
      ? bare
      : cmd`nsenter --net=/run/netns/${pod} ${bare.argv}`;
    return { node, line, is, ...(mend === undefined ? {} : { mend }) };
  };
  const isChange = (line: string) => {
    // What has another value now is put back; that alone is told.
    const key = keyOf(line);
    return key !== undefined && gone.some((one) => keyOf(one) === key);
  };
  return [
    ...added.filter((line) => !isChange(line)).map((line) => of("added", line)),
    ...gone.map((line) => {
      const key = keyOf(line);
      const now = added.find((one) => key !== undefined && keyOf(one) === key);
      const left = of("gone", line);
      return now === undefined
        ? left
        : { ...left, line: `${line} (now ${now})` };
    }),
  ];
}

/** What a line is about, where there is always exactly one of it. */
function keyOf(line: string): string | undefined {
  return /^(?:pod \S+: )?(?:\S+ =|link [^:]*:|file \S+)/.exec(line)?.[0];
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
  return removalBeside(line);
}

/** The same, of what is no rule of iptables and no route. */
function removalBeside(line: string): Command | undefined {
  const [kind = "", ...rest] = line.split(" ");
  const after = (word: string) => rest[rest.indexOf(word) + 1] ?? "";
  switch (kind) {
    case "address":
      return cmd`ip addr del ${rest[0] ?? ""} dev ${after("on")}`;
    case "ip": {
      const [, flag, priority = ""] = /^ip( -6)? rule (\d+):/.exec(line) ?? [];
      return cmd`ip ${
        flag === undefined ? [] : ["-6"]
      } rule del pref ${priority}`;
    }
    case "neighbour":
      return cmd`ip neigh del ${rest[0] ?? ""} dev ${after("dev")}`;
    case "qdisc":
      return cmd`tc qdisc del dev ${after("dev")} ${
        rest.find((word) => /^(root|ingress|clsact)$/.test(word)) ?? rest[0] ??
          ""
      }`;
    case "nft":
      return cmd`nft delete table ${rest[0] ?? ""} ${
        (rest[1] ?? "").replace(/:$/, "")
      }`;
    case "ipsec":
      return cmd`ip xfrm policy del src ${after("src")} dst ${
        after("dst")
      } dir ${after("dir")}`;
    case "link":
      return isPodsVeth(line)
        ? undefined
        : cmd`ip link del dev ${(rest[0] ?? "").replace(/:$/, "")}`;
    case "file":
      return cmd`rm ${rest[0] ?? ""}`;
  }
  return undefined;
}

/** What puts it back. What bears our mark, a stage makes anew. */
function restoration(line: string): Command | undefined {
  const isOurs = line.endsWith(` proto ${routeProtocol}`) ||
    / proto bird( |$)/.test(line) ||
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
  const [, address, link] = /^address (\S+\/\d+) on (\S+)$/.exec(line) ?? [];
  if (address !== undefined) {
    return cmd`ip addr add ${address} dev ${link ?? ""}`;
  }
  const [, dev, state, mtu, more = ""] =
    /^link (\S+): (up|down), mtu (\d+)(.*)$/.exec(line) ?? [];
  if (dev === undefined || state === undefined || mtu === undefined) {
    return undefined;
  }
  const [, master] = /, on (\S+?)(?:,|$)/.exec(more) ?? [];
  return cmd`ip link set dev ${dev} mtu ${mtu} arp ${
    more.includes(", no ARP") ? "off" : "on"
  } ${master === undefined ? [] : ["master", master]} ${state}`;
}

function isPodsVeth(line: string): boolean {
  return line.startsWith("link of pod ");
}

function familyFlag(route: string): readonly string[] {
  return route.includes(":") ? ["-6"] : [];
}
