/**
 * The call as the environment tells it. Source: SPEC.md, "Parameters" and the
 * table of each command; for what a missing variable costs, `pkg/skel` of the
 * reference.
 */

import {
  type Address,
  AddressError,
  parseAddress,
} from "../address/address.ts";
import { CniError, code } from "./protocol.ts";

/** An attachment's container and interface, and where to find other plugins. */
export interface ContainerCall {
  containerID: string;
  ifname: string;
  /** CNI_PATH. */
  path: string;
  /** CNI_ARGS, which parseArgs() reads: DEL succeeds whatever it holds. */
  args: string;
}

export type Call =
  | { command: "VERSION" }
  | { command: "GC" | "STATUS"; path: string }
  | ContainerCall & { command: "ADD" | "CHECK"; netns: string }
  /** `netns` is "" where the runtime no longer knows it. */
  | ContainerCall & { command: "DEL"; netns: string };

/** What CNI_ARGS asks for; keys of others, such as Kubernetes' K8S_POD_NAME, are passed over. */
export interface Args {
  ip: Address | undefined;
  mac: string | undefined;
}

/** CNI_* variables; undefined for one that is not set. */
export type Environment = (name: string) => string | undefined;

const needs = {
  ADD: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
  CHECK: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
  DEL: ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"],
  GC: ["CNI_PATH"],
  STATUS: ["CNI_PATH"],
  VERSION: [],
} as const;

/**
 * @throws {CniError} 4, naming every variable that is missing, or the one whose
 * value cannot be
 */
export function parseEnvironment(env: Environment): Call {
  const command = env("CNI_COMMAND") ?? "";
  if (!Object.hasOwn(needs, command)) {
    throw new CniError(
      code.environment,
      command === "" ? "CNI_COMMAND is missing" : `CNI_COMMAND is ${command}`,
      `one of ${
        Object.keys(needs).join(", ")
      } is expected; this is a CNI plugin, which a container runtime calls`,
    );
  }
  const known = command as keyof typeof needs;
  const missing = needs[known].filter((name) => (env(name) ?? "") === "");
  if (missing.length > 0) {
    throw new CniError(
      code.environment,
      `${known} needs ${missing.join(", ")}: missing from the environment`,
      "the container runtime sets them",
    );
  }
  const path = env("CNI_PATH") ?? "";
  if (known === "VERSION") return { command: known };
  if (known === "GC" || known === "STATUS") return { command: known, path };
  const containerID = env("CNI_CONTAINERID") ?? "";
  if (!isName(containerID)) {
    throw new CniError(
      code.environment,
      `CNI_CONTAINERID is ${JSON.stringify(containerID)}`,
      "letters, digits, _ . and - are allowed in it, a letter or digit first",
    );
  }
  const ifname = env("CNI_IFNAME") ?? "";
  checkIfname(ifname);
  const netns = env("CNI_NETNS") ?? "";
  const args = env("CNI_ARGS") ?? "";
  return { command: known, containerID, ifname, netns, path, args };
}

/**
 * Whether a text can be a container ID or network name.
 * Source: SPEC.md, "Parameters" and "Network configuration".
 */
export function isName(text: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text);
}

/** The rule of Linux `dev_valid_name`, and the spec's "16 characters with the NUL". */
function checkIfname(ifname: string): void {
  const length = new TextEncoder().encode(ifname).length;
  const wrong = length > 15
    ? `it is ${length} bytes long, at most 15 are allowed`
    : ifname === "." || ifname === ".." || /[/:\s]/.test(ifname)
    ? "it may not be . or .., nor hold /, : or white space"
    : undefined;
  if (wrong === undefined) return;
  throw new CniError(
    code.environment,
    `CNI_IFNAME is ${JSON.stringify(ifname)}`,
    wrong,
  );
}

/**
 * What CNI_ARGS asks for.
 * @throws {CniError} 4
 */
export function parseArgs(text: string): Args {
  const args: Args = { ip: undefined, mac: undefined };
  for (const pair of text.split(";")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    if (equals < 1) {
      throw new CniError(
        code.environment,
        `CNI_ARGS holds ${JSON.stringify(pair)}`,
        "KEY=VALUE pairs are expected, with ; between them",
      );
    }
    const value = pair.slice(equals + 1);
    switch (pair.slice(0, equals)) {
      case "IP":
        args.ip = parseIp(value);
        break;
      case "MAC":
        args.mac = checkMac(value, "MAC in CNI_ARGS", code.environment);
        break;
    }
  }
  return args;
}

function parseIp(value: string): Address {
  try {
    // The reference accepts a prefix length here and so do we; the subnet's is what counts.
    return parseAddress(value.split("/", 1)[0] ?? "");
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    throw new CniError(
      code.environment,
      `IP in CNI_ARGS is ${JSON.stringify(value)}`,
      error.message,
    );
  }
}

/**
 * A MAC address for an interface, in lower case.
 * @throws {CniError} with the code given, for what is none, or one of a group
 */
export function checkMac(
  value: string,
  what: string,
  errorCode: number,
): string {
  const mac = value.toLowerCase();
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) || /^(00:){5}00$/.test(mac)) {
    throw new CniError(
      errorCode,
      `${what} is ${JSON.stringify(value)}`,
      "a MAC address is expected, such as 02:42:0a:f4:01:02",
    );
  }
  if ((parseInt(mac.slice(0, 2), 16) & 1) === 1) {
    throw new CniError(
      errorCode,
      `${what} is ${JSON.stringify(value)}, the address of a group`,
      "the first byte must be even",
    );
  }
  return mac;
}
