/**
 * The plugin: environment and stdin in, a result or an error on stdout. A
 * container runtime executes it for each command; SPEC.md, "Execution protocol".
 *
 * Everything is synchronous: entering a pod's namespace demands it (netns.ts),
 * and starting the event loop costs time.
 */

import { add } from "./attach.ts";
import { check } from "./check.ts";
import { parseConfig, parseRemoval, type Removal } from "./cni/config.ts";
import { parseInput, parseVersion } from "./cni/input.ts";
import {
  type Call,
  type Environment,
  parseEnvironment,
} from "./cni/environment.ts";
import { readAll, writeAll } from "./linux/files.ts";
import { del } from "./detach.ts";
import { gc } from "./gc.ts";
import type { JsonObject } from "./cni/json.ts";
import { cniErrorOf } from "./cni/failure.ts";
import {
  CniError,
  code,
  errorFor,
  since,
  type Version,
  versionAnswer,
  versions,
} from "./cni/protocol.ts";
import { resultFor } from "./cni/result.ts";
import { parseValidAttachments } from "./cni/valid_attachments.ts";
import { status } from "./status.ts";
import { decodeUtf8, encoder } from "./linux/utf8.ts";

/** What is written to stdout (nothing for undefined), and whether it is a success. */
interface Answer {
  output: object | undefined;
  failed: boolean;
}

function answer(env: Environment, readInput: () => string): Answer {
  let version: Version = versions[versions.length - 1]!;
  try {
    const call = parseEnvironment(env);
    if (call.command === "VERSION") {
      return { output: versionAnswer(askedVersion(readInput)), failed: false };
    }
    const input = parseInput(readInput());
    version = versionFor(call, input);
    return { output: execute(call, input, version, env), failed: false };
  } catch (error) {
    return { output: errorFor(version, told(error)), failed: true };
  }
}

/** VERSION answers whatever comes on stdin, also nothing. */
function askedVersion(readInput: () => string): string | undefined {
  try {
    const { cniVersion } = parseInput(readInput());
    return typeof cniVersion === "string" ? cniVersion : undefined;
  } catch {
    return undefined;
  }
}

/** The version from which on a command exists: SPEC.md, "CNI operations". */
const firstVersion = {
  ADD: "0.1.0",
  DEL: "0.1.0",
  CHECK: "0.4.0",
  GC: "1.1.0",
  STATUS: "1.1.0",
} as const;

type ConfiguredCall = Exclude<Call, { command: "VERSION" }>;

/** DEL and GC go on in a version that is not supported: they print no result. */
function versionFor({ command }: ConfiguredCall, input: JsonObject): Version {
  try {
    return parseVersion(input);
  } catch (error) {
    if (command !== "DEL" && command !== "GC") throw error;
    return versions[versions.length - 1]!;
  }
}

function execute(
  call: ConfiguredCall,
  input: JsonObject,
  version: Version,
  env: Environment,
): JsonObject | undefined {
  const first = firstVersion[call.command];
  if (!since(version, first)) {
    throw new CniError(
      code.version,
      `${call.command} does not exist in version ${version}`,
      `it does from ${first} on; ` +
        "cniVersion in the network configuration says which is spoken",
    );
  }
  const override = env("CNI_NETNS_OVERRIDE");
  const allowOwn = override === "1" || override === "true";
  const config = () => parseConfig(input, version, argsOf(call));
  switch (call.command) {
    case "ADD":
      return resultFor(version, add(call, config(), allowOwn, warn));
    case "CHECK":
      check(call, config(), allowOwn);
      return undefined;
    case "STATUS":
      status(config(), call.path);
      return undefined;
    case "DEL":
      del(call, removalOf(call, input), warn);
      return undefined;
    case "GC": {
      const valid = parseValidAttachments(input);
      gc(removalOf(call, input), valid, call.path, warn);
      return undefined;
    }
  }
}

/** What DEL and GC need; what ADD would refuse in the configuration is said on stderr. */
function removalOf(call: ConfiguredCall, input: JsonObject): Removal {
  const removal = parseRemoval(input, warn);
  try {
    parseConfig(input, parseVersion(input), argsOf(call));
  } catch (error) {
    const { message, details } = cniErrorOf(error);
    warn(
      `${call.command} goes on where ADD would fail: ${message} (${details})`,
    );
  }
  return removal;
}

function argsOf(call: ConfiguredCall): string {
  return "args" in call ? call.args : "";
}

/** Anything thrown, as the caller is told it; a mistake in the plugin is logged whole. */
function told(error: unknown): CniError {
  const failure = cniErrorOf(error);
  if (failure.code === code.internal) {
    warn((error instanceof Error ? error.stack : undefined) ?? String(error));
  }
  return failure;
}

function warn(text: string): void {
  console.error(`deno-cni: ${text}`);
}

/** All of stdin. */
function readInput(): string {
  // A person at a terminal has asked for VERSION, say; there is no end to wait for.
  if (Deno.stdin.isTerminal()) return "";
  return decodeUtf8(readAll(0, "stdin"));
}

function print(output: object): void {
  writeAll(1, "stdout", encoder.encode(JSON.stringify(output) + "\n"));
}

const { output, failed } = answer((name) => Deno.env.get(name), readInput);
if (output !== undefined) print(output);
Deno.exit(failed ? 1 : 0);
