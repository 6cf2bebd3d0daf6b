/**
 * One call of the plugin: environment and stdin in, what it prints and its exit
 * code out. SPEC.md, "Execution protocol". It knows nothing of the process that
 * it is made in: one that was started for it, or one that stays.
 */

import { add, del } from "./attach.ts";
import { check } from "./check.ts";
import {
  type Config,
  parseConfig,
  parseInput,
  parseVersion,
} from "./cni/config.ts";
import {
  type Call,
  type Environment,
  parseEnvironment,
} from "./cni/environment.ts";
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
import { complain, complaints } from "./complaints.ts";
import { gc } from "./gc.ts";
import { remedy } from "./linux/errno.ts";
import { type Log, logOf, writeLog } from "./log.ts";
import { SystemError } from "./linux/libc.ts";
import { KernelError } from "./netlink/rtnetlink.ts";
import { status } from "./status.ts";

/** What a call comes to. */
export interface Answer {
  /** A line of JSON without its end, or "" for nothing. */
  readonly stdout: string;
  readonly exit: 0 | 1;
  /** Lines for stderr; none when all is well. */
  readonly stderr: readonly string[];
  /** The error's code; 0 for a success. */
  readonly code: number;
}

/** A command other than VERSION, its input taken apart and found good. */
export interface Prepared {
  readonly call: Exclude<Call, { command: "VERSION" }>;
  readonly config: Config;
  /** CNI_NETNS_OVERRIDE: the node's own namespace may be the pod's. */
  readonly allowOwn: boolean;
  /** Lines for stderr so far. */
  readonly said: readonly string[];
}

/** What environment and stdin say: a call to be made, or the answer where there is nothing to make. */
export interface Opening {
  readonly next: Prepared | Answer;
  /** Where the call is to be noted. */
  readonly log: Log | undefined;
}

/** Makes one call, from its beginning to its end. */
export function answer(env: Environment, readInput: () => string): Answer {
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
  let version: Version = versions[versions.length - 1]!;
  let prepared: Omit<Prepared, "said"> | undefined;
  let log: Log | undefined;
  const early = answerOf(() => version, () => {
    const call = parseEnvironment(env);
    if (call.command === "VERSION") {
      return versionAnswer(askedVersion(readInput));
    }
    const input = parseInput(readInput());
    log = logOf(input);
    version = parseVersion(input);
    prepared = preparedOf(call, input, version, env);
    return undefined;
  });
  if (prepared === undefined) return { next: early, log };
  return { next: { ...prepared, said: early.stderr }, log };
}

/** Does what the command says. */
export function perform(prepared: Prepared): Answer {
  const { call, config, allowOwn } = prepared;
  return answerTo(prepared, () => {
    switch (call.command) {
      case "ADD":
        return { ...resultFor(config.version, add(call, config, allowOwn)) };
      case "DEL":
        del(call, config);
        return undefined;
      case "CHECK":
        check(call, config, allowOwn);
        return undefined;
      case "GC":
        gc(config, call.path);
        return undefined;
      case "STATUS":
        status(config, call.path);
        return undefined;
    }
  });
}

/** What a step of a call comes to, whatever it throws. */
export function answerTo(
  { config, said }: Prepared,
  body: () => Record<string, unknown> | undefined,
): Answer {
  const answer = answerOf(() => config.version, body);
  return { ...answer, stderr: [...said, ...answer.stderr] };
}

function answerOf(
  version: () => Version,
  body: () => Record<string, unknown> | undefined,
): Answer {
  try {
    const output = body();
    const stdout = output === undefined ? "" : JSON.stringify(output);
    return { stdout, exit: 0, stderr: complaints(), code: 0 };
  } catch (thrown) {
    const error = asCniError(thrown);
    const stdout = JSON.stringify(errorFor(version(), error));
    return { stdout, exit: 1, stderr: complaints(), code: error.code };
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

function preparedOf(
  call: Prepared["call"],
  input: JsonObject,
  version: Version,
  env: Environment,
): Omit<Prepared, "said"> {
  const first = firstVersion[call.command];
  if (!since(version, first)) {
    throw new CniError(
      code.version,
      `${call.command} does not exist in version ${version}`,
      `it does from ${first} on; cniVersion in the network configuration says which is spoken`,
    );
  }
  const config = parseConfig(
    input,
    version,
    "args" in call ? call.args : undefined,
  );
  const override = env("CNI_NETNS_OVERRIDE");
  return { call, config, allowOwn: override === "1" || override === "true" };
}

/** Anything thrown, as the caller is told it. */
function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  if (error instanceof KernelError || error instanceof SystemError) {
    return new CniError(code.kernel, error.message, remedy(error.errno), {
      cause: error,
    });
  }
  const { stack, message } = error instanceof Error
    ? error
    : new Error(String(error));
  complain(`${stack}`);
  return new CniError(
    code.internal,
    message,
    "this is a mistake in the plugin: please report it",
  );
}
