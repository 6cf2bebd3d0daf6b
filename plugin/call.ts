/**
 * One call of the plugin: environment and stdin in, what it prints and its exit
 * code out. SPEC.md, "Execution protocol". It knows nothing of the process that
 * it is made in: one that was started for it, or one that stays.
 */

import { add } from "./attach.ts";
import { check } from "./check.ts";
import { parseConfig, parseRemoval, type Removal } from "./cni/config.ts";
import {
  type Call,
  type Environment,
  parseEnvironment,
} from "./cni/environment.ts";
import { cniErrorOf } from "./cni/failure.ts";
import { parseInput, parseVersion } from "./cni/input.ts";
import type { JsonObject } from "./cni/json.ts";
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
import { del, type Warn } from "./detach.ts";
import { gc } from "./gc.ts";
import { type Log, logOf, writeLog } from "./log.ts";
import { status } from "./status.ts";

/** What a call comes to. */
export interface CallAnswer {
  /** A line of JSON without its end, or "" for nothing. */
  readonly stdout: string;
  readonly exit: 0 | 1;
  /** Lines for stderr; none when all is well. */
  readonly stderr: readonly string[];
  /** The error's code; 0 for a success. */
  readonly code: number;
}

type ConfiguredCall = Exclude<Call, { command: "VERSION" }>;

/** What a call has said so far beside its answer, and how it says more. */
interface Speech {
  readonly said: string[];
  readonly warn: Warn;
}

/** A command other than VERSION, its input taken apart and found good. */
export interface PreparedCall extends Speech {
  readonly call: ConfiguredCall;
  readonly version: Version;
  /** The network, and where its leases are. */
  readonly network: Removal;
  /** Does what the command says. */
  run(): JsonObject | undefined;
}

/** What environment and stdin say: a call to be made, or the answer where there is none. */
interface Opening {
  readonly next: PreparedCall | CallAnswer;
  /** Where the call is to be noted. */
  readonly log: Log | undefined;
}

/** Makes one call, from its beginning to its end. */
export function answer(env: Environment, readInput: () => string): CallAnswer {
  const { next, log } = prepare(env, readInput);
  const answer = "exit" in next ? next : perform(next);
  // Since the process was started for it.
  if (log !== undefined) writeLog(log, env, answer, performance.now());
  return answer;
}

/** Takes environment and stdin apart; touches nothing. */
export function prepare(
  env: Environment,
  readInput: () => string,
): Opening {
  const speech = newSpeech();
  let version: Version = versions[versions.length - 1]!;
  let prepared: PreparedCall | undefined;
  let log: Log | undefined;
  const early = answerOf(speech, () => version, () => {
    const call = parseEnvironment(env);
    if (call.command === "VERSION") {
      return versionAnswer(askedVersion(readInput));
    }
    const input = parseInput(readInput());
    log = logOf(input, speech.warn);
    version = versionFor(call, input);
    prepared = preparedOf(call, input, version, env, speech);
    return undefined;
  });
  return { next: prepared ?? early, log };
}

/** Does what the command says. */
export function perform(prepared: PreparedCall): CallAnswer {
  return answerTo(prepared, prepared.run);
}

/** What a step of a call comes to, whatever it throws. */
export function answerTo(
  prepared: PreparedCall,
  body: () => JsonObject | undefined,
): CallAnswer {
  return answerOf(prepared, () => prepared.version, body);
}

function newSpeech(): Speech {
  const said: string[] = [];
  return { said, warn: (text) => void said.push(`deno-cni: ${text}`) };
}

function answerOf(
  { said, warn }: Speech,
  version: () => Version,
  body: () => object | undefined,
): CallAnswer {
  try {
    const output = body();
    const stdout = output === undefined ? "" : JSON.stringify(output);
    return { stdout, exit: 0, stderr: said, code: 0 };
  } catch (thrown) {
    const error = told(thrown, warn);
    const stdout = JSON.stringify(errorFor(version(), error));
    return { stdout, exit: 1, stderr: said, code: error.code };
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

/** DEL and GC go on in a version that is not supported: they print no result. */
function versionFor({ command }: ConfiguredCall, input: JsonObject): Version {
  try {
    return parseVersion(input);
  } catch (error) {
    if (command !== "DEL" && command !== "GC") throw error;
    return versions[versions.length - 1]!;
  }
}

function preparedOf(
  call: ConfiguredCall,
  input: JsonObject,
  version: Version,
  env: Environment,
  speech: Speech,
): PreparedCall {
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
  const { warn } = speech;
  const prepared = { ...speech, call, version };
  switch (call.command) {
    case "ADD": {
      const network = parseConfig(input, version, call.args);
      const run = () => resultFor(version, add(call, network, allowOwn, warn));
      return { ...prepared, network, run };
    }
    case "CHECK": {
      const network = parseConfig(input, version, call.args);
      return {
        ...prepared,
        network,
        run: done(() => check(call, network, allowOwn)),
      };
    }
    case "STATUS": {
      const network = parseConfig(input, version, "");
      return {
        ...prepared,
        network,
        run: done(() => status(network, call.path)),
      };
    }
    case "DEL": {
      const network = removalOf(call, input, warn);
      return {
        ...prepared,
        network,
        run: done(() => del(call, network, warn)),
      };
    }
    case "GC": {
      const valid = parseValidAttachments(input);
      const network = removalOf(call, input, warn);
      const run = done(() => gc(network, valid, call.path, warn));
      return { ...prepared, network, run };
    }
  }
}

/** A command that prints nothing. */
function done(body: () => void): () => undefined {
  return () => void body();
}

/** What DEL and GC need; what ADD would refuse in the configuration is said on stderr. */
function removalOf(
  call: ConfiguredCall,
  input: JsonObject,
  warn: Warn,
): Removal {
  const removal = parseRemoval(input, warn);
  try {
    parseConfig(input, parseVersion(input), "args" in call ? call.args : "");
  } catch (error) {
    const { message, details } = cniErrorOf(error);
    warn(
      `${call.command} goes on where ADD would fail: ${message} (${details})`,
    );
  }
  return removal;
}

/** Anything thrown, as the caller is told it; a mistake in the plugin is logged whole. */
function told(error: unknown, warn: Warn): CniError {
  const failure = cniErrorOf(error);
  if (failure.code === code.internal) {
    warn((error instanceof Error ? error.stack : undefined) ?? String(error));
  }
  return failure;
}
