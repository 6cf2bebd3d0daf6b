/** The keys of a cluster file that say how the plugin works on its nodes. */
import {
  type Draft,
  mapping,
  oneOf,
  optional,
  textValue,
  type Validator,
} from "./validate.ts";
import type { Reading } from "./yaml.ts";

/** How the plugin works; what is left out is as plugin/README.md has it. */
export interface PluginSettings {
  /** Whether a process that stays makes its calls; left out: where systemd runs. */
  readonly daemon?: boolean;
  /** The file on each node in which every call is noted. */
  readonly logFile?: string;
  readonly logLevel?: "error" | "info" | "debug";
}

const daemon: Validator<boolean> = {
  expected: "true or false",
  read(value, path, reading) {
    if (typeof value === "boolean") return value;
    reading.wrong(
      path,
      `${JSON.stringify(value)} is not true or false`,
    );
    return undefined;
  },
};

const logFile = textValue(
  "an absolute path, e.g. /var/log/deno-cni.log",
  (value) =>
    /^\/[^\0\n]*[^/\0\n]$/.test(value)
      ? undefined
      : "is no file's absolute path; expected one such as /var/log/deno-cni.log",
);

export const pluginSettings: Validator<PluginSettings> = mapping<
  PluginSettings
>({
  daemon: optional(daemon),
  logFile: optional(logFile),
  logLevel: optional(oneOf("error", "info", "debug")),
});

/** A level says how much goes into a log. */
export function checkPlugin(
  { plugin }: { readonly plugin?: Draft<PluginSettings> | undefined },
  reading: Reading,
): void {
  if (plugin?.logLevel === undefined || plugin.logFile !== undefined) return;
  reading.wrong(
    ["plugin", "logLevel"],
    "there is no logFile; expected one beside it, or no logLevel",
  );
}
