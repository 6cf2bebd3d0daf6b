/**
 * The keys of a cluster file that say how the nodes' plugin is to be.
 * config/lab.yaml tells the user.
 */
import {
  type Draft,
  mapping,
  oneOf,
  optional,
  textValue,
  type Validator,
  withDefault,
} from "./validate.ts";
import type { Reading } from "./yaml.ts";

/** How the nodes' plugin is to be. */
export interface PluginSettings {
  /** Whether a pod reaches itself by a service: its port of the bridge is in hairpin mode. */
  readonly hairpin: boolean;
  /** Whether the reference portmap comes after it; auto, where the node has it. */
  readonly portmap: "auto" | boolean;
  /** Whether a process that stays makes its calls; left out: where systemd runs. */
  readonly daemon?: boolean;
  /** The file on each node in which every call is noted. */
  readonly logFile?: string;
  readonly logLevel?: "error" | "info" | "debug";
}

/** What a cluster file means that does not say. */
export const usualPlugin: PluginSettings = { hairpin: true, portmap: "auto" };

const logFile = textValue(
  "an absolute path, e.g. /var/log/deno-cni.log",
  (value) =>
    /^\/[^\0\n]*[^/\0\n]$/.test(value)
      ? undefined
      : "is no file's absolute path; expected one such as /var/log/deno-cni.log",
  /^\//,
);

/** The key `plugin`. */
export const pluginSettings: Validator<PluginSettings> = mapping<
  PluginSettings
>({
  hairpin: withDefault(oneOf(true, false), usualPlugin.hairpin),
  portmap: withDefault(
    oneOf<"auto" | boolean>("auto", true, false),
    usualPlugin.portmap,
  ),
  daemon: optional(oneOf(true, false)),
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
