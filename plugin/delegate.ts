/**
 * Other IPAM plugins in our leases' place: `host-local`, `static`, `dhcp`.
 * Source: SPEC.md, "Plugin delegation".
 */

import {
  type Address,
  AddressError,
  parseAddress,
  type Subnet,
  subnetAround,
} from "./address/address.ts";
import type { Config, Ipam } from "./cni/config.ts";
import { isObject, type Json, type JsonObject } from "./cni/json.ts";
import { feedStdin } from "./linux/libc.ts";
import { CniError, code, type Ip } from "./cni/protocol.ts";
import { parseResult } from "./cni/result.ts";
import { type Addressing, type Assigned, completed } from "./ipam.ts";

/** An IPAM plugin that cannot be run, and so can give or release nothing. */
export class IpamUnavailable extends CniError {}

/**
 * Has the IPAM plugin do its part of a command: the same environment but for
 * CNI_COMMAND, and the whole configuration.
 * @param path CNI_PATH
 * @returns what it printed; undefined for nothing
 * @throws {CniError} its own error, or 107 when it answers nonsense
 * @throws {IpamUnavailable} 107 when it cannot be run
 */
export function delegate(
  { type, input }: Ipam,
  path: string,
  command: "ADD" | "DEL" | "CHECK" | "GC" | "STATUS",
): JsonObject | undefined {
  const executable = find(type, path);
  feedStdin(JSON.stringify(input));
  const { code: exit, signal, success, stdout } = start(executable, command);
  const output = new TextDecoder().decode(stdout);
  const said = output.trim() === "" ? undefined : parseOutput(type, output);
  if (success) return said;
  if (said !== undefined && typeof said.code === "number") {
    throw new CniError(
      said.code,
      `IPAM plugin ${type}: ${said.msg ?? "it says no more"}`,
      typeof said.details === "string" ? said.details : "",
    );
  }
  const how = signal === null ? `exit code ${exit}` : `signal ${signal}`;
  throw new CniError(
    code.delegation,
    `IPAM plugin ${type} ended with ${how} at ${command} and said nothing on stdout`,
    `its stderr, passed on to ours, may say more; it is ${executable}`,
  );
}

function start(executable: string, command: string): Deno.CommandOutput {
  try {
    return new Deno.Command(executable, {
      env: { CNI_COMMAND: command },
      stdin: "inherit",
      stderr: "inherit",
    }).outputSync();
  } catch (error) {
    throw new IpamUnavailable(
      code.delegation,
      `cannot run IPAM plugin ${executable}: ${(error as Error).message}`,
      "is it executable, and for this processor?",
      { cause: error },
    );
  }
}

function find(type: string, path: string): string {
  for (const folder of path.split(":")) {
    const candidate = `${folder}/${type}`;
    if (folder !== "" && isFile(candidate)) return candidate;
  }
  throw new IpamUnavailable(
    code.delegation,
    `IPAM plugin ${type} is not in CNI_PATH (${path})`,
    "install it there (package containernetworking-plugins), or take ipam away and give a subnet",
  );
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false; // Absent, or in a folder that cannot be read: looked for in the next.
  }
}

function parseOutput(type: string, output: string): JsonObject {
  try {
    const parsed: Json = JSON.parse(output);
    if (isObject(parsed)) return parsed;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw nonsense(type, output.slice(0, 80));
}

function nonsense(type: string, what: string): CniError {
  return new CniError(
    code.delegation,
    `IPAM plugin ${type} answered ${JSON.stringify(what)}`,
    "a CNI result is expected",
  );
}

/**
 * Addresses from the IPAM plugin; its dns counts where the configuration has none.
 * @param path CNI_PATH
 * @throws {CniError}
 */
export function delegatedAddresses(
  config: Config,
  ipam: Ipam,
  path: string,
): Addressing {
  const said = delegate(ipam, path, "ADD");
  if (said === undefined) throw nonsense(ipam.type, "");
  const { ips, routes, dns } = parseResult(said, `the result of ${ipam.type}`);
  if (ips.length === 0) {
    throw nonsense(ipam.type, JSON.stringify(said).slice(0, 80));
  }
  try {
    const given = routes.map(({ dst, gw, ...options }) => ({
      ...options,
      dst: parseCidr(dst).subnet,
      gateway: gw === undefined ? undefined : parseAddress(gw),
    }));
    return completed(
      ips.map(assigned),
      [...given, ...config.routes],
      Object.keys(config.dns).length > 0 ? config.dns : dns,
    );
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    throw nonsense(ipam.type, error.message);
  }
}

function assigned({ address, gateway }: Ip): Assigned {
  return {
    ...parseCidr(address),
    gateway: gateway === undefined ? undefined : parseAddress(gateway),
  };
}

/** An address with its prefix length, and the subnet that it is in. */
function parseCidr(text: string): { address: Address; subnet: Subnet } {
  const [host = "", length = ""] = text.split("/");
  const address = parseAddress(host);
  const bits = address.family === 4 ? 32 : 128;
  const prefixLength = /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (prefixLength < 0 || prefixLength > bits) {
    throw new AddressError(
      `${text}: a prefix length of 0 to ${bits} is expected`,
    );
  }
  return { address, subnet: subnetAround(address, prefixLength) };
}
