/**
 * What comes on stdin, as far as every command needs it: an object, and the
 * version that its sender speaks.
 */

import { isObject, type Json, type JsonObject, shown } from "./json.ts";
import { CniError, code, type Version, versions } from "./protocol.ts";

/**
 * The JSON object that came on stdin.
 * @throws {CniError} 6 for what is no JSON object
 */
export function parseInput(input: string): JsonObject {
  let parsed: Json;
  try {
    parsed = JSON.parse(input);
  } catch (error) {
    throw new CniError(
      code.decoding,
      `the network configuration on stdin is no JSON: ${
        (error as SyntaxError).message
      }`,
      input.trim() === ""
        ? "nothing came"
        : "the container runtime writes it there",
    );
  }
  if (isObject(parsed)) return parsed;
  throw new CniError(
    code.decoding,
    `the network configuration on stdin is ${shown(parsed)}`,
    "a JSON object is expected",
  );
}

/**
 * The version that the caller speaks; 0.1.0 where it says none.
 * @throws {CniError} 1 for one that is not supported
 */
export function parseVersion(config: JsonObject): Version {
  const asked = config.cniVersion ?? "0.1.0";
  const found = versions.find((version) => version === asked);
  if (found !== undefined) return found;
  throw new CniError(
    code.version,
    `cniVersion is ${shown(asked)}`,
    `supported are ${versions.join(", ")}`,
  );
}
