/**
 * The probes that stages share: read-only questions to a node, each with a
 * pure reading of what came back. What we make carries our mark, so that a
 * probe can tell it from somebody else's.
 */
import { cmd, type Command, ending, type Outcome } from "../exec/command.ts";
import type { Answer, PluginFile, Probe } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

/** Our mark on a route: its protocol number (ip-route(8), `proto`; rtnetlink(7): above 4 is free for users). */
export const routeProtocol = "244";

/** The answer to what neither the exit code nor the output settles. */
export function unknown(outcome: Outcome, what: string): Answer {
  const said = (outcome.stderr.trim() || outcome.stdout.trim()).slice(0, 400);
  const how = ending(outcome);
  return {
    is: "unknown",
    reason: `cannot tell ${what}: ${how}${said ? `: ${said}` : ""}`,
  };
}

/** Asks for a link with all that `ip` knows of it. */
function askLink(name: string): Command {
  return cmd`ip -j -d link show dev ${name}`;
}

interface Link {
  readonly flags?: readonly string[];
  readonly ifalias?: string;
  readonly linkinfo?: { readonly info_kind?: string };
}

function readLink(outcome: Outcome): Link | "absent" | undefined {
  if (outcome.code === 1 && /does not exist/.test(outcome.stderr)) {
    return "absent";
  }
  return outcome.code === 0
    ? readList<Link>(outcome.stdout)?.[0] ?? "absent"
    : undefined;
}

/** Is there a link of this name, of this kind, made by us? */
export function linkIs(name: string, kind: string): Probe {
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
          remedy:
            `rename or remove it (ip link del ${name}), or choose another name in the cluster file`,
        };
      }
      if (link.ifalias === mark) return { is: "present", ours: true };
      return {
        is: "different",
        found: `${name} is a ${kind} that this tool did not make ` +
          (link.ifalias ? `(its alias is "${link.ifalias}")` : "(no alias)"),
        remedy:
          `remove it (ip link del ${name}) if nothing needs it, or choose another name in the cluster file`,
        ...(link.ifalias === undefined ? { unmarked: true } : {}),
      };
    },
  };
}

/** Does the link carry our mark? */
export function linkMarked(name: string): Probe {
  return {
    ask: askLink(name),
    read(outcome) {
      const link = readLink(outcome);
      if (link === undefined) return unknown(outcome, `the alias of ${name}`);
      if (link === "absent" || link.ifalias !== mark) return { is: "absent" };
      return { is: "present", ours: true };
    },
  };
}

/** Is the link up? */
export function linkUp(name: string): Probe {
  return {
    ask: askLink(name),
    read(outcome) {
      const link = readLink(outcome);
      if (link === undefined) return unknown(outcome, `whether ${name} is up`);
      if (link === "absent") return { is: "absent" };
      return link.flags?.includes("UP") ? { is: "present" } : { is: "absent" };
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
    ask: cmd`ip -j addr show dev ${name}`,
    read(outcome) {
      if (outcome.code === 1 && /does not exist/.test(outcome.stderr)) {
        return { is: "absent" };
      }
      const links = outcome.code === 0
        ? readList<{ addr_info?: AddressInfo[] }>(outcome.stdout)
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
      };
    },
  };
}

/** Has the sysctl this value? A setting that the kernel does not have counts as present: there is nothing to set. */
export function sysctlIs(name: string, value: string): Probe {
  return {
    ask: cmd`sysctl -n ${name}`,
    read(outcome) {
      if (/No such file or directory/.test(outcome.stderr)) {
        return outcome.ended === undefined
          ? { is: "present" }
          : unknown(outcome, name);
      }
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

interface Route {
  readonly dst: string;
  readonly gateway?: string;
  readonly protocol?: string;
}

/** Does the route to this destination go by this gateway? */
export function routeIs(destination: string, via: string): Probe {
  const family = destination.includes(":") ? "-6" : "-4";
  return {
    ask: cmd`ip ${family} -j route show exact ${destination}`,
    read(outcome) {
      const routes = outcome.code === 0
        ? readList<Route>(outcome.stdout)
        : undefined;
      if (routes === undefined) {
        return unknown(outcome, `the route to ${destination}`);
      }
      const [route] = routes;
      if (route === undefined) return { is: "absent" };
      const ours = route.protocol === routeProtocol;
      if (route.gateway === via) {
        return ours ? { is: "present", ours } : { is: "present" };
      }
      if (ours) return { is: "absent" };
      return {
        is: "different",
        found: `${destination} is routed by ${
          route.gateway ?? "no gateway"
        } (proto ${route.protocol ?? "unknown"}), not by ${via}`,
        remedy:
          `remove that route (ip route del ${destination}) if nothing needs it, and run this stage again`,
      };
    },
  };
}

/**
 * Has the file this content, and this mode where one is named?
 *
 * @param ours tells a file of ours with other content, which may be written anew, from somebody else's
 */
export function fileIs(
  path: string,
  content: string,
  ours: (text: string) => boolean,
  mode?: string,
): Probe {
  const first = mode === undefined ? "" : 'stat -c %a "$1"; ';
  const script = `if [ -e "$1" ]; then ${first}cat "$1"; else exit 44; fi`;
  const heading = mode === undefined ? "" : `${mode}\n`;
  return {
    ask: cmd`sh -c ${script} read ${path}`,
    read(outcome) {
      if (outcome.code === 44) return { is: "absent" };
      if (outcome.code !== 0) return unknown(outcome, `what ${path} holds`);
      if (outcome.stdout === heading + content) {
        return { is: "present", ours: true };
      }
      if (ours(outcome.stdout)) return { is: "absent" };
      return {
        is: "different",
        found: `${path} holds something that this tool did not write`,
        remedy: "move it away, and run this stage again",
      };
    },
  };
}

/** The list that a `-j` command printed; undefined when it printed none. */
function readList<Element>(text: string): Element[] | undefined {
  if (text.trim() === "") return [];
  try {
    const value: unknown = JSON.parse(text);
    // `ip -j` prints an empty object for what a filter left out.
    return Array.isArray(value)
      ? (value as Element[]).filter((element) =>
        Object.keys(element as object).length > 0
      )
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Is the file on the node, whole and with these rights? Compared by digest, where it has one, and by size. */
export function copied(file: PluginFile): Probe {
  const script = 'if [ ! -e "$1" ]; then exit 44; fi; ' +
    'stat -Lc "%s %a" "$1"; if [ -n "$2" ]; then sha256sum "$1"; fi';
  const { size_bytes, mode, sha256 = "" } = file;
  return {
    ask: cmd`sh -c ${script} stat ${file.to} ${sha256}`,
    read(outcome) {
      if (outcome.code === 44) return { is: "absent" };
      if (outcome.code !== 0) return unknown(outcome, `what ${file.to} is`);
      const [facts, digest = ""] = outcome.stdout.split("\n");
      const same = facts === `${size_bytes} ${mode}` &&
        (sha256 === "" || digest.startsWith(`${sha256} `));
      return same ? { is: "present", ours: true } : { is: "absent" };
    },
  };
}
