/**
 * The probes that stages share: read-only questions to a node, each with a
 * pure reading of what came back. What we make carries our mark, so that a
 * probe can tell it from what is not ours.
 */
import { allWithin } from "../net/cidr.ts";
import { parseIpList } from "../net/ip_json.ts";
import { cmd, type Command, ending, type Outcome } from "../exec/command.ts";
import type { Answer, Probe } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

/**
 * Our mark on a route: its protocol number (ip-route(8), `proto`;
 * rtnetlink(7): above 4 is free for users).
 */
export const routeProtocol = "244";

/** What the kernel calls the origin of bird's routes (rtnetlink(7), RTPROT_BIRD). */
export const birdProtocol = "bird";

/** The answer to what neither the exit code nor the output settles. */
export function unknown(outcome: Outcome, what: string): Answer {
  const said = (outcome.stderr.trim() || outcome.stdout.trim()).slice(0, 400);
  const how = ending(outcome);
  return {
    is: "unknown",
    reason: `cannot tell ${what}: ${how}${said ? `: ${said}` : ""}`,
  };
}

const linkQuestions = new Map<string, Command>();

/**
 * Asks for a link with all that `ip` knows of it: the same question for all probes
 * of the link, so that a node is asked once.
 */
export function askLink(name: string): Command {
  const known = linkQuestions.get(name);
  if (known !== undefined) return known;
  const question = cmd`ip -j -d addr show dev ${name}`;
  linkQuestions.set(name, question);
  return question;
}

interface Link {
  readonly flags?: readonly string[];
  readonly ifalias?: string;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info?: readonly AddressInfo[];
}

function readLink(outcome: Outcome): Link | "absent" | undefined {
  if (outcome.code === 1 && /does not exist/.test(outcome.stderr)) {
    return "absent";
  }
  return outcome.code === 0
    ? parseIpList<Link>(outcome.stdout)?.[0] ?? "absent"
    : undefined;
}

/**
 * Is there a link of this name, of this kind, made by us?
 *
 * @param pods the CIDRs of pods: a link that has another address may be what
 * the node itself is reached by, and no remedy takes that away
 */
export function linkIs(
  name: string,
  kind: string,
  pods: readonly string[],
): Probe {
  const rename = "choose another name in the cluster file";
  return {
    ask: askLink(name),
    read(outcome) {
      const link = readLink(outcome);
      if (link === undefined) return unknown(outcome, `whether ${name} exists`);
      if (link === "absent") return { is: "absent" };
      const found = link.linkinfo?.info_kind ?? "link without a kind";
      if (found !== kind) {
        return {
          is: "different",
          found: `${name} is a ${found}, not a ${kind}`,
          remedy: rename,
        };
      }
      if (link.ifalias === mark) return { is: "present", ours: true };
      const held = (link.addr_info ?? [])
        .filter(({ scope }) => scope === "global")
        .map(({ local }) => local);
      return {
        is: link.ifalias === undefined ? "unmarked" : "different",
        found: `${name} is a ${kind} that this tool did not make ` +
          (link.ifalias ? `(its alias is "${link.ifalias}")` : "(no alias)"),
        remedy: allWithin(held, pods)
          ? `remove it (ip link del ${name}) if nothing needs it, or ${rename}`
          : `${rename}: this one has the address ${held.join(", ")}`,
      };
    },
  };
}

/** Does the link carry our mark? */
export function linkMarked(name: string): Probe {
  return linkHas(
    name,
    `the alias of ${name}`,
    ({ ifalias }) =>
      ifalias === mark ? { is: "present", ours: true } : { is: "absent" },
  );
}

/** Is the link up? */
export function linkUp(name: string): Probe {
  return linkHas(
    name,
    `whether ${name} is up`,
    ({ flags }) => flags?.includes("UP") ? { is: "present" } : { is: "absent" },
  );
}

function linkHas(
  name: string,
  what: string,
  read: (link: Link) => Answer,
): Probe {
  return {
    ask: askLink(name),
    read(outcome) {
      const link = readLink(outcome);
      if (link === undefined) return unknown(outcome, what);
      return link === "absent" ? { is: "absent" } : read(link);
    },
  };
}

interface AddressInfo {
  readonly family: string;
  readonly local: string;
  readonly prefixlen: number;
  readonly scope: string;
}

/**
 * Does the link have this address, and no other of its family?
 *
 * @param address with its prefix length, as ip-address(8) takes it
 */
export function addressOn(name: string, address: string): Probe {
  const family = address.includes(":") ? "inet6" : "inet";
  return {
    ask: askLink(name),
    read(outcome) {
      if (outcome.code === 1 && /does not exist/.test(outcome.stderr)) {
        return { is: "absent" };
      }
      const links = outcome.code === 0
        ? parseIpList<{ addr_info?: AddressInfo[] }>(outcome.stdout)
        : undefined;
      if (links === undefined) {
        return unknown(outcome, `the addresses of ${name}`);
      }
      const held = links.flatMap((link) => link.addr_info ?? [])
        .filter((info) => info.family === family && info.scope === "global")
        .map((info) => `${info.local}/${info.prefixlen}`);
      if (held.includes(address)) return { is: "present" };
      if (held.length === 0) return { is: "absent" };
      return {
        is: "different",
        found: `${name} has the address ${held.join(", ")}, not ${address}`,
        remedy: `remove it (ip addr del ${
          held[0]
        } dev ${name}), or correct the cluster file`,
        former: true,
      };
    },
  };
}

/**
 * Has the sysctl this value? A setting that the kernel does not have counts as
 * present: there is nothing to set.
 */
export function sysctlIs(name: string, value: string): Probe {
  return {
    ask: cmd`sysctl -n ${name}`,
    read(outcome) {
      const none = /No such file or directory/.test(outcome.stderr);
      if (none && outcome.ended === undefined) return { is: "present" };
      if (outcome.code !== 0) return unknown(outcome, name);
      const previous = outcome.stdout.trim();
      return previous === value
        ? { is: "present" }
        : { is: "absent", previous };
    },
  };
}

/**
 * Is there such a rule in iptables?
 *
 * @param rule the asking command: `iptables … -C CHAIN …`, which exits 1 for
 * an absent rule and says so (iptables(8), --check)
 */
export function ruleIs(rule: Command): Probe {
  return {
    ask: rule,
    read(outcome) {
      if (outcome.code === 0) return { is: "present", ours: true };
      if (
        outcome.code === 1 &&
        /does a matching rule exist/.test(outcome.stderr)
      ) return { is: "absent" };
      return unknown(outcome, "whether the rule is there");
    },
  };
}
