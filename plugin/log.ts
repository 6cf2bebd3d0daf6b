/**
 * A line a call in a file that the network configuration names: `logFile` and
 * `logLevel` (error, info, debug). Nothing about it is a reason to fail a call.
 */

import { call, cString, outgoing } from "./linux/libc.ts";
import { encoder } from "./linux/utf8.ts";
import type { Environment } from "./cni/environment.ts";
import { isObject, type Json, type JsonObject, shown } from "./cni/json.ts";

const levels = ["error", "info", "debug"] as const;

export interface Log {
  /** An absolute path. */
  readonly file: string;
  /** Failed calls, or all, or all with input and result. */
  readonly level: typeof levels[number];
  readonly input: JsonObject;
}

/** What a call came to. */
interface Outcome {
  readonly stdout: string;
  /** The error's code; 0 for a success. */
  readonly code: number;
}

/**
 * The log that a network configuration asks for; undefined where it asks for none,
 * or wrongly.
 * @param warn is told what is wrong
 */
export function logOf(
  input: JsonObject,
  warn: (text: string) => void,
): Log | undefined {
  const { logFile: file, logLevel = "info" } = input;
  if (file === undefined || file === null || file === "") return undefined;
  const level = levels.find((level) => level === logLevel);
  if (typeof file === "string" && file.startsWith("/") && level !== undefined) {
    return { file, level, input };
  }
  const wrong = level === undefined
    ? `logLevel is ${shown(logLevel ?? null)}: ${levels.join(", ")} is expected`
    : `logFile is ${shown(file)}: an absolute path is expected`;
  warn(`no log is written: ${wrong}`);
  return undefined;
}

/** Source: Linux `include/uapi/asm-generic/fcntl.h`. */
const AT_FDCWD = -100;
const O_WRONLY = 1;
const O_CREAT = 0o100;
const O_APPEND = 0o2000;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

/** The longest line: what goes out in one write(2). */
const longest = 32_000;

/**
 * Writes the line of a call. The file is opened by name each time, so that it
 * can be moved away at any moment, and the line is one write, so that lines of
 * several calls do not mix.
 */
export function writeLog(
  { file, level, input }: Log,
  env: Environment,
  outcome: Outcome,
  took_ms: number,
): void {
  if (level === "error" && outcome.code === 0) return;
  const line = fieldsOf(env, outcome, took_ms);
  if (level === "debug") {
    line.push(["input", JSON.stringify(input)], ["result", outcome.stdout]);
  }
  const text = line.filter(([, value]) => value !== "")
    .map(([key, value]) => `${key}=${quoted(value)}`).join(" ");
  const bytes = encoder.encode(`${text}\n`);
  if (bytes.length > longest) bytes[longest - 1] = 0x0a;
  const flags = O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC;
  const opened = call("openat", AT_FDCWD, cString(file), flags, 0o600);
  if (opened < 0) return;
  const part = bytes.subarray(0, longest);
  call("write", opened, outgoing(part), part.length);
  call("close", opened);
}

function fieldsOf(
  env: Environment,
  { stdout, code }: Outcome,
  took_ms: number,
): [string, string][] {
  const said = stdout === "" ? {} : JSON.parse(stdout);
  const args = new Map(
    (env("CNI_ARGS") ?? "").split(";").map((pair) => {
      const [key = "", ...value] = pair.split("=");
      return [key, value.join("=")];
    }),
  );
  const pod = args.get("K8S_POD_NAME");
  return [
    ["time", new Date().toISOString()],
    ["level", code === 0 ? "info" : "error"],
    ["command", env("CNI_COMMAND") ?? ""],
    ["container", env("CNI_CONTAINERID") ?? ""],
    ["interface", env("CNI_IFNAME") ?? ""],
    ["netns", env("CNI_NETNS") ?? ""],
    ["pod", pod === undefined ? "" : `${args.get("K8S_POD_NAMESPACE")}/${pod}`],
    ["ms", took_ms.toFixed(1)],
    ["address", code === 0 ? addressesOf(said) : ""],
    ["code", code === 0 ? "" : `${code}`],
    ["error", code === 0 ? "" : `${said.msg}`],
  ];
}

/** The addresses of a result of any version, with commas between them. */
function addressesOf(result: JsonObject): string {
  const of = (value: Json | undefined, key: string): string[] =>
    isObject(value) && typeof value[key] === "string" ? [value[key]] : [];
  const list = Array.isArray(result.ips) ? result.ips : [];
  return [
    ...of(result.ip4, "ip"),
    ...of(result.ip6, "ip"),
    ...list.flatMap((ip) => of(ip, "address")),
  ].join(",");
}

/** As logfmt has it: a value with anything but plain characters is a JSON text. */
function quoted(value: string): string {
  return /^[^\s"=\\\p{C}]+$/u.test(value) ? value : JSON.stringify(value);
}
