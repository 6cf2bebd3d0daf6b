/** What a node has for stage 09: one question, and the reading of its answer. */
import { cmd, type Command, type Outcome } from "../exec/command.ts";
import {
  containersQuestion,
  readRuntime,
  type Runtime,
} from "../cni/containerd.ts";
import { readLinks } from "../net/ip_json.ts";
import {
  folder,
  type NodeList,
  nodePort,
  paths,
  type PodName,
  type PodState,
  server,
} from "./namespace_pods.ts";
import {
  configFolder,
  parseAddResult,
  parseList,
  pluginFolder,
  RuntimeError,
} from "../cni/runtime.ts";

/** What a node has for stage 09. */
export interface Survey {
  /** Those of its links, both families, without the ones that no other machine can see. */
  readonly addresses: readonly string[];
  /** Whether its kernel shows bridged frames to iptables if told so. */
  readonly bridged: boolean;
  readonly busybox: boolean;
  /** The programs that a runtime would find. */
  readonly plugins: readonly string[];
  /** The configuration that a runtime would use: the first by name. */
  readonly list: NodeList | undefined;
  /** Whether something listens on the nodes' port. */
  readonly serving: boolean;
  /** What stage 02 started to run containers, and the containers. */
  readonly runtime?: Runtime;
  readonly pods: Readonly<Record<PodName, PodState>>;
}

const surveyScript = `
part() { printf '\\n%s %s\\n' "$boundary" "$1"; }
boundary=$1 port=$2 folder=$3 configs=$4 plugins=$5
part bridged; ls -d /proc/sys/net/bridge 2>/dev/null
part addresses; ip -j addr show
part busybox; command -v busybox
part serving; ss -Hltn "sport = :$port"
part plugins
for file in "$plugins"/*; do
  if [ -f "$file" ] && [ -x "$file" ]; then echo "\${file##*/}"; fi
done
for file in "$configs"/*; do
  case $file in
  *.conf | *.conflist | *.json) part list.path; echo "$file"; part list; cat "$file"; break ;;
  esac
done
for pod in shell web; do
  at=/run/netns/$pod
  [ ! -e "$at" ] || { part "$pod.sandbox"; stat -f -c %T "$at"; }
  [ ! -e "$folder/$pod.conflist" ] || { part "$pod.list"; cat "$folder/$pod.conflist"; }
  [ ! -e "$folder/$pod.json" ] || { part "$pod.result"; cat "$folder/$pod.json"; }
done
if [ -e "$folder/web.json" ]; then
  part web.serving; nsenter --net=/run/netns/web ss -Hltn 'sport = :80' 2>/dev/null
fi
part runtime; ${containersQuestion}
part end
`;

/**
 * The question that readSurvey() reads the answer to. It changes nothing.
 *
 * @param boundary a text that no file of the node holds
 */
export function nodeSurveyCommand(boundary: string): Command {
  // Names are sorted as bytes, as runtimes sort them.
  return cmd`env LC_ALL=C sh -c ${surveyScript} survey ${boundary} ${nodePort} ${folder} ${configFolder} ${pluginFolder}`;
}

/**
 * Reads what surveyCommand() printed.
 *
 * @returns undefined when it did not come to its end
 */
export function readNodeSurvey(
  outcome: Outcome,
  boundary: string,
): Survey | undefined {
  const parts = new Map<string, string>();
  for (const part of outcome.stdout.split(`\n${boundary} `).slice(1)) {
    const end = part.indexOf("\n");
    const name = end < 0 ? part : part.slice(0, end);
    parts.set(name.trim(), end < 0 ? "" : part.slice(end + 1));
  }
  if (!parts.has("end")) return undefined;
  const path = parts.get("list.path")?.trim();
  const text = parts.get("list");
  const list = path === undefined || text === undefined
    ? undefined
    : { path, text };
  const some = (name: string) => (parts.get(name) ?? "").trim() !== "";
  const runtime = readRuntime(parts.get("runtime") ?? "");
  return {
    addresses: addressesIn(parts.get("addresses") ?? ""),
    bridged: some("bridged"),
    busybox: some("busybox"),
    plugins: (parts.get("plugins") ?? "").split("\n").filter(Boolean),
    list,
    serving: some("serving"),
    ...(runtime === undefined ? {} : { runtime }),
    pods: {
      shell: podState("shell", parts, list, runtime),
      web: podState("web", parts, list, runtime),
    },
  };
}

function addressesIn(text: string): readonly string[] {
  return readLinks(text).flatMap(({ addresses }) => addresses)
    .map(({ address }) => address)
    .filter((address) => !/^(127\.|::1$)/.test(address));
}

function podState(
  pod: PodName,
  parts: ReadonlyMap<string, string>,
  nodeList: NodeList | undefined,
  runtime: Runtime | undefined,
): PodState {
  const type = parts.get(`${pod}.sandbox`)?.trim();
  const listText = parts.get(`${pod}.list`);
  const resultText = parts.get(`${pod}.result`);
  const sandbox = type !== undefined;
  if (listText === undefined && !sandbox) return { is: "none" };
  if (listText === undefined) return { is: "foreign" };
  const list = unlessWrong(() => parseList(listText, paths.list(pod)));
  const result = resultText === undefined
    ? undefined
    : unlessWrong(() => parseAddResult(resultText, paths.result(pod)));
  const ruin = (why: string): PodState => ({
    is: "ruin",
    why,
    sandbox,
    ...(list === undefined ? {} : { list }),
    ...(result === undefined ? {} : { result }),
  });
  if (type !== "nsfs") return ruin("its network namespace was gone");
  if (list === undefined || result === undefined) {
    return ruin("its start had been cut off");
  }
  if (nodeList !== undefined && nodeList.text.trim() !== listText.trim()) {
    return ruin(`${nodeList.path} was another when it was started`);
  }
  if (runtime?.running?.includes(pod) === false) {
    return ruin("no container of it was running");
  }
  const serving = pod !== server ||
    (parts.get(`${pod}.serving`) ?? "").trim() !== "";
  return { is: "running", list, result, serving };
}

function unlessWrong<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RuntimeError) return undefined;
    throw error;
  }
}
