/**
 * The key of a cluster file that says how the nodes' plugin is to be. config/lab.yaml
 * tells the user.
 */
import { mapping, oneOf, type Validator, withDefault } from "./validate.ts";

/** How the nodes' plugin is to be. */
export interface PluginSettings {
  /** Whether a pod reaches itself by a service: its port of the bridge is in hairpin mode. */
  readonly hairpin: boolean;
  /** Whether the reference portmap comes after it; auto, where the node has it. */
  readonly portmap: "auto" | boolean;
}

/** What a cluster file means that does not say. */
export const usualPlugin: PluginSettings = { hairpin: true, portmap: "auto" };

/** The key `plugin`. */
export const pluginSettings: Validator<PluginSettings> = mapping<
  PluginSettings
>({
  hairpin: withDefault(oneOf(true, false), usualPlugin.hairpin),
  portmap: withDefault(
    oneOf<"auto" | boolean>("auto", true, false),
    usualPlugin.portmap,
  ),
});
