/**
 * What a container runtime does with a network configuration: it reads the
 * list, and executes each of its plugins for a pod (CNI SPEC.md, sections 1 to
 * 4; where the spec leaves it open, as libcni does). Pure: it makes commands.
 */
import { cmd, type Command, show, withInput } from "../exec/command.ts";

/** Where a runtime looks for configurations. */
export const configFolder = "/etc/cni/net.d";

/** Where a runtime looks for plugins. */
export const pluginFolder = "/opt/cni/bin";

/** A network configuration list, as far as a runtime cares. */
export interface NetworkList {
  readonly name: string;
  readonly cniVersion: string;
  readonly disableCheck: boolean;
  /** Each plugin's own configuration, its `type` checked. */
  readonly plugins: readonly PluginConfig[];
}

/** One plugin's configuration. */
export interface PluginConfig {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** The pod that plugins are executed for. */
export interface PodAttachment {
  readonly containerId: string;
  /** The pod's network namespace, as a path. */
  readonly netns: string;
  readonly podName: string;
}

/** What ADD gave, as far as stage 09 cares. */
export interface AddResult {
  /**
   * The pod's first address, without its prefix length;
   * of two families, the one that is looked at.
   */
  readonly address: string;
  /** All its addresses, one a family. */
  readonly addresses: readonly string[];
  /** The links on the node: the bridge and the host veth. */
  readonly hostLinks: readonly string[];
  /** The whole of it, for CHECK and DEL. */
  readonly whole: unknown;
}

/** A configuration or a result that is not what the spec says. */
export class RuntimeError extends Error {
  override readonly name = "RuntimeError";
}

/** What was read; undefined where that is not as it has to be. */
export function unlessWrong<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RuntimeError) return undefined;
    throw error;
  }
}

/** The interface's name in every pod, as runtimes have it. */
export const ifname = "eth0";

/**
 * Reads a network configuration: a list, or a single plugin's, which counts as
 * a list of one (files that end in .conf or .json).
 *
 * @param from the file, for the message
 * @throws {RuntimeError}
 */
export function parseList(text: string, from: string): NetworkList {
  const wrong = (what: string) =>
    new RuntimeError(`${from} is no network configuration: ${what}`);
  const value = parseJson(text);
  if (!isObject(value)) throw wrong("expected a JSON object");
  const { name, cniVersion = "0.1.0", disableCheck } = value;
  if (typeof name !== "string" || name === "") {
    throw wrong(`expected "name" to be a text`);
  }
  if (typeof cniVersion !== "string") {
    throw wrong(`expected "cniVersion" to be a text`);
  }
  const plugins = value.plugins ?? [value];
  if (!Array.isArray(plugins) || plugins.length === 0) {
    throw wrong(`expected "plugins" to list at least one plugin`);
  }
  for (const plugin of plugins) {
    // A type with a slash would leave the folder of plugins.
    if (
      !isObject(plugin) || typeof plugin.type !== "string" ||
      plugin.type === "" || plugin.type.includes("/")
    ) throw wrong(`expected each plugin's "type" to name an executable`);
  }
  return {
    name,
    cniVersion,
    disableCheck: disableCheck === true || disableCheck === "true",
    plugins: plugins as PluginConfig[],
  };
}

/** Whether the list's plugins can be asked to CHECK: from 0.4.0, unless it forbids it. */
export function canCheck({ cniVersion, disableCheck }: NetworkList): boolean {
  const [major = 0, minor = 0] = cniVersion.split(".").map(Number);
  return !disableCheck && (major > 0 || minor >= 4);
}

/**
 * The commands of an ADD, one for each plugin, each given the former's result;
 * the last one's is in `file` afterwards.
 */
export function addCommands(
  list: NetworkList,
  attachment: PodAttachment,
  file: string,
): readonly Command[] {
  // $1 plugin, $2 the former's result, $3 where this one's goes.
  const script = 'config=$(cat); if [ -s "$2" ]; then ' +
    'config="${config%\\}},\\"prevResult\\":$(cat "$2")}"; fi; ' +
    'if printf "%s\\n" "$config" | "$1" >"$3.new"; then mv -f "$3.new" "$3"; ' +
    'else code=$?; cat "$3.new"; rm -f "$3.new"; exit "$code"; fi';
  const part = `${file}.part`;
  return list.plugins.map((plugin, at) => {
    const before = at === 0 ? "/dev/null" : part;
    const after = at === list.plugins.length - 1 ? file : part;
    const executable = `${pluginFolder}/${plugin.type}`;
    const environment = environmentOf("ADD", attachment);
    const needed = environment.filter((one) => !one.startsWith("CNI_ARGS="));
    return {
      ...cmd`env ${environment} sh -c ${script} add ${executable} ${before} ${after}`,
      stdin: input(list, plugin, undefined),
      label: show(cmd`env ${needed} ${executable}`),
    };
  });
}

/** The commands of a CHECK, one for each plugin. */
export function checkCommands(
  list: NetworkList,
  attachment: PodAttachment,
  result: AddResult,
): readonly Command[] {
  return list.plugins.map((plugin) =>
    pluginCommand("CHECK", list, plugin, attachment, result)
  );
}

/**
 * The commands of a DEL, one for each plugin, in reverse.
 *
 * @param result ADD's, where it came that far
 */
export function delCommands(
  list: NetworkList,
  attachment: PodAttachment,
  result: AddResult | undefined,
): readonly Command[] {
  return list.plugins.toReversed().map((plugin) =>
    pluginCommand("DEL", list, plugin, attachment, result)
  );
}

/** The command that has one plugin do something for a pod. */
export function pluginCommand(
  verb: "ADD" | "CHECK" | "DEL",
  list: NetworkList,
  plugin: PluginConfig,
  attachment: PodAttachment,
  result: AddResult | undefined,
): Command {
  const executable = `${pluginFolder}/${plugin.type}`;
  const environment = environmentOf(verb, attachment);
  return withInput(
    cmd`env ${environment} ${executable}`,
    input(list, plugin, result),
  );
}

/**
 * The variables that Kubernetes' runtimes set (containerd's CRI plugin:
 * internal/cri/server, cniNamespaceOpts).
 */
function environmentOf(
  verb: string,
  { containerId, netns, podName }: PodAttachment,
): readonly string[] {
  const args = [
    "IgnoreUnknown=1",
    "K8S_POD_NAMESPACE=default",
    `K8S_POD_NAME=${podName}`,
    `K8S_POD_INFRA_CONTAINER_ID=${containerId}`,
  ];
  return [
    `CNI_COMMAND=${verb}`,
    `CNI_CONTAINERID=${containerId}`,
    `CNI_NETNS=${netns}`,
    `CNI_IFNAME=${ifname}`,
    `CNI_PATH=${pluginFolder}`,
    `CNI_ARGS=${args.join(";")}`,
  ];
}

/**
 * A plugin's configuration as it is handed over:
 * the list's name and version in it (SPEC.md, section 4).
 */
function input(
  list: NetworkList,
  plugin: PluginConfig,
  result: AddResult | undefined,
): string {
  const { name, cniVersion } = list;
  const prevResult = result === undefined ? {} : { prevResult: result.whole };
  return JSON.stringify({ ...plugin, name, cniVersion, ...prevResult });
}

/**
 * Reads ADD's result, of version 0.3.0 or newer.
 *
 * @param from the file, for the message
 * @throws {RuntimeError}
 */
export function parseAddResult(text: string, from: string): AddResult {
  const whole = parseJson(text);
  const ips = isObject(whole) && Array.isArray(whole.ips) ? whole.ips : [];
  const addresses = ips.filter(isObject).map(({ address }) => address)
    .filter((address) => typeof address === "string")
    .map((address) => address.replace(/\/.*/, ""));
  const [address] = addresses;
  if (address === undefined) {
    throw new RuntimeError(
      `${from} is no result of ADD: expected "ips" with an address`,
    );
  }
  const interfaces = isObject(whole) && Array.isArray(whole.interfaces)
    ? whole.interfaces.filter(isObject)
    : [];
  return {
    address,
    addresses,
    hostLinks: interfaces
      .filter(({ sandbox }) => sandbox === undefined || sandbox === "")
      .map(({ name }) => String(name)),
    whole,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
