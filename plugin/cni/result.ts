/**
 * Results between the shapes of the versions: in from any (an earlier plugin's
 * `prevResult`), out to the one that the caller speaks. Inside, everything has
 * the shape of 1.1.0.
 */

import {
  integer,
  type JsonObject,
  listOf,
  object,
  read,
  text,
} from "./json.ts";
import {
  CniError,
  code,
  type Dns,
  type Interface,
  type Result,
  type Route,
  since,
  type Version,
} from "./protocol.ts";

/** The result of a plugin that has added nothing yet. */
export function emptyResult(): Result {
  return { interfaces: [], ips: [], routes: [], dns: {} };
}

/**
 * The result as JSON in the shape of the version that the caller speaks.
 * Source: SPEC.md of that version, "Result"; `ip4` and `ip6` hold one address
 * each, so that up to 0.2.0 only the first of a family is told.
 */
export function resultFor(version: Version, result: Result): JsonObject {
  if (!since(version, "0.3.0")) {
    return { cniVersion: version, ...singles(result), dns: { ...result.dns } };
  }
  const told: JsonObject = { cniVersion: version };
  if (result.interfaces.length > 0) {
    told.interfaces = result.interfaces.map((i) => interfaceFor(version, i));
  }
  if (result.ips.length > 0) {
    told.ips = result.ips.map((ip) =>
      since(version, "1.0.0")
        ? { ...ip }
        : { version: familyOf(ip.address), ...ip }
    );
  }
  if (result.routes.length > 0) {
    told.routes = result.routes.map((r) => routeFor(version, r));
  }
  if (!since(version, "1.0.0") || Object.keys(result.dns).length > 0) {
    told.dns = { ...result.dns };
  }
  return told;
}

function singles(result: Result): JsonObject {
  const told: JsonObject = {};
  for (const family of ["4", "6"] as const) {
    const ip = result.ips.find((ip) => familyOf(ip.address) === family);
    if (ip === undefined) continue;
    const routes = result.routes
      .filter((r) => familyOf(r.dst) === family)
      .map((r) => routeFor("0.2.0", r));
    told[`ip${family}`] = {
      ip: ip.address,
      ...(ip.gateway === undefined ? {} : { gateway: ip.gateway }),
      ...(routes.length === 0 ? {} : { routes }),
    };
  }
  return told;
}

function interfaceFor(version: Version, i: Interface): JsonObject {
  if (since(version, "1.1.0")) return { ...i };
  const { mtu: _mtu, socketPath: _socketPath, pciID: _pciID, ...older } = i;
  return older;
}

function routeFor(version: Version, r: Route): JsonObject {
  if (since(version, "1.1.0")) return { ...r };
  return { dst: r.dst, ...(r.gw === undefined ? {} : { gw: r.gw }) };
}

function familyOf(address: string): "4" | "6" {
  return address.includes(":") ? "6" : "4";
}

/**
 * A result as an earlier plugin wrote it, in the shape of any version.
 * @param from the JSON object, in the shape of the version it names or of
 * none in particular: both `ip4`/`ip6` and `ips` are understood
 * @param path what to call it in an error (`prevResult`)
 * @throws {CniError} 7 for a value of the wrong type
 */
export function parseResult(from: JsonObject, path: string): Result {
  const result = emptyResult();
  const list = (key: string) => read(from, key, listOf(object), path) ?? [];
  list("interfaces").forEach((i, at) => {
    const where = `${path}.interfaces[${at}]`;
    result.interfaces.push({
      name: required(i, "name", where),
      ...present("mac", read(i, "mac", text, where)),
      ...present("mtu", read(i, "mtu", integer, where)),
      ...present("sandbox", read(i, "sandbox", text, where)),
      ...present("socketPath", read(i, "socketPath", text, where)),
      ...present("pciID", read(i, "pciID", text, where)),
    });
  });
  list("ips").forEach((ip, at) => {
    const where = `${path}.ips[${at}]`;
    result.ips.push({
      address: required(ip, "address", where),
      ...present("gateway", read(ip, "gateway", text, where)),
      ...present("interface", read(ip, "interface", integer, where)),
    });
  });
  result.routes = parseRoutes(from, "routes", path);
  for (const key of ["ip4", "ip6"]) {
    const single = read(from, key, object, path);
    if (single === undefined) continue;
    const where = `${path}.${key}`;
    result.ips.push({
      address: required(single, "ip", where),
      ...present("gateway", read(single, "gateway", text, where)),
    });
    result.routes.push(...parseRoutes(single, "routes", where));
  }
  result.dns = parseDns(from, "dns", path);
  return result;
}

/** `routes` of a result or of the configuration; [] when there are none. */
export function parseRoutes(
  from: JsonObject,
  key: string,
  path: string,
): Route[] {
  return (read(from, key, listOf(object), path) ?? []).map((r, at) => {
    const where = `${path === "" ? "" : path + "."}${key}[${at}]`;
    return {
      dst: required(r, "dst", where),
      ...present("gw", read(r, "gw", text, where)),
      ...present("mtu", read(r, "mtu", integer, where)),
      ...present("advmss", read(r, "advmss", integer, where)),
      ...present("priority", read(r, "priority", integer, where)),
      ...present("table", read(r, "table", integer, where)),
      ...present("scope", read(r, "scope", integer, where)),
    };
  });
}

/** `dns` of a result or of the configuration; {} when there is none. */
export function parseDns(from: JsonObject, key: string, path: string): Dns {
  const dns = read(from, key, object, path) ?? {};
  const where = path === "" ? key : `${path}.${key}`;
  return {
    ...present("nameservers", read(dns, "nameservers", listOf(text), where)),
    ...present("domain", read(dns, "domain", text, where)),
    ...present("search", read(dns, "search", listOf(text), where)),
    ...present("options", read(dns, "options", listOf(text), where)),
  };
}

function required(from: JsonObject, key: string, path: string): string {
  const found = read(from, key, text, path);
  if (found !== undefined) return found;
  throw new CniError(
    code.configuration,
    `${path}.${key} is missing`,
    "a text is expected there",
  );
}

/** `{[key]: value}`, or nothing for no value or an empty one. */
function present<K extends string, T>(
  key: K,
  value: T | undefined,
): { [k in K]?: T } {
  if (value === undefined || value === "") return {};
  return { [key]: value } as { [k in K]: T };
}
