/**
 * Test pods on a node, and the servers that tell a caller which address they
 * saw. A pod is what a container runtime would make: a network namespace, and
 * the plugins of /etc/cni/net.d executed for it; where stage 02 started a
 * runtime, it is a container in such a namespace. A node remembers in
 * /run/deno-cni-pods what was started there, so a reboot forgets it with the pods.
 *
 * A pod that is there is used as it is, with all its faults: they are what
 * stage 09 is to find. Only one that cannot be a pod any more is made anew: its
 * start was cut off, its namespace is gone, or the configuration that it was
 * made with is no longer the node's.
 */
import { cmd, type Command, type Outcome, write } from "./command.ts";
import {
  containerOn,
  containersQuestion,
  endContainer,
  execIn,
  readRuntime,
  runContainer,
  type Runtime,
} from "./containerd.ts";
import type { Node } from "./node.ts";
import {
  add,
  type AddResult,
  type Attachment,
  cachePath,
  configFolder,
  del,
  keepCached,
  type NetworkList,
  parseList,
  parseResult,
  pluginFolder,
  RuntimeError,
} from "./runtime.ts";
import type { Step } from "./step.ts";

/** A node's pods: one that calls, one that answers. */
export const podNames = ["shell", "web"] as const;

/** A test pod's name. */
export type PodName = typeof podNames[number];

/** The pod that starts every path from a pod. */
export const caller = "shell";

/** The pod that ends every path to a pod. */
export const server = "web";

/** The port on which the nodes and the outside host answer; a pod does on 80. */
export const nodePort = 18080;

/** What is to be executed at a node's end of a path, or in a pod: the one door to both. */
export type Runner = Pick<Node, "name" | "run" | "enter">;

const folder = "/run/deno-cni-pods";

/** A network configuration of a node. */
export interface NodeList {
  readonly path: string;
  readonly text: string;
}

/** What a pod is found to be. */
export type PodState =
  | { readonly is: "none" }
  | {
    readonly is: "running";
    readonly list: NetworkList;
    readonly result: AddResult;
    /** Whether its web server listens; only the pod "web" has one. */
    readonly serving: boolean;
  }
  /** Left over from a pod that cannot be one any more. */
  | {
    readonly is: "ruin";
    readonly why: string;
    readonly sandbox: boolean;
    readonly list?: NetworkList;
    readonly result?: AddResult;
  }
  /** A namespace of that name which stage 09 did not make. */
  | { readonly is: "foreign" };

/** What a node has for stage 09. */
export interface Survey {
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

/** A pod's address file and the like, by pod. */
export const paths = {
  list: (pod: PodName) => `${folder}/${pod}.conflist`,
  result: (pod: PodName) => `${folder}/${pod}.json`,
  sandbox: (pod: PodName) => `/run/netns/${pod}`,
} as const;

/** A pod to run commands in, wherever its node is. */
export function podOn(node: Runner, pod: PodName): Runner {
  const inside = (command: Command): Command => ({
    ...command,
    argv: [
      "nsenter",
      `--net=${paths.sandbox(pod)}`,
      ...command.argv,
    ],
  });
  return {
    name: `${pod} on ${node.name}`,
    enter: (command) => node.enter(inside(command)),
    run: (command, options) => node.run(inside(command), options),
  };
}

const surveyScript = `
part() { printf '\\n%s %s\\n' "$boundary" "$1"; }
boundary=$1 port=$2 folder=$3 configs=$4 plugins=$5
part bridged; ls -d /proc/sys/net/bridge 2>/dev/null
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
export function surveyCommand(boundary: string): Command {
  // Names are sorted as bytes, as runtimes sort them.
  return cmd`env LC_ALL=C sh -c ${surveyScript} survey ${boundary} ${nodePort} ${folder} ${configFolder} ${pluginFolder}`;
}

/**
 * Reads what surveyCommand() printed.
 *
 * @returns undefined when it did not come to its end
 */
export function readSurvey(
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
    : unlessWrong(() => parseResult(resultText, paths.result(pod)));
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
  if (runtime !== undefined && !runtime.running.includes(pod)) {
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

/** A step of stage 09 on a node: always a command, never undone by the engine. */
export type PodStep = Step & { readonly run: Command };

/** The pod as its plugins know it. */
export function attachmentOf(pod: PodName): Attachment {
  return {
    containerId: `09-verify-${pod}`,
    netns: paths.sandbox(pod),
    podName: pod,
  };
}

/**
 * What starts a pod.
 *
 * @param runtime what runs it; without one, the plugins are executed here
 * @throws {RuntimeError} when the node's configuration is none
 */
export function startPod(
  pod: PodName,
  nodeList: NodeList,
  runtime: Runtime | undefined,
): PodStep[] {
  const list = parseList(nodeList.text, nodeList.path);
  return [
    {
      why: `Pod ${pod}: remember which configuration it is made with; ` +
        "it has to go with the same one",
      run: write(paths.list(pod), nodeList.text),
    },
    {
      why:
        "A pod's sandbox is a network namespace of its own, empty but for lo",
      run: cmd`ip netns add ${pod}`,
    },
    {
      why: "A new namespace's lo is down; a runtime brings it up",
      run: cmd`nsenter --net=${paths.sandbox(pod)} ip link set lo up`,
    },
    ...(runtime === undefined
      ? add(list, attachmentOf(pod), paths.result(pod)).map((run, at) => ({
        why: `ADD: ${
          list.plugins[at]?.type
        } plugs the pod in; what it prints is kept for CHECK and DEL`,
        run,
      }))
      : startContainer(pod, list, runtime)),
  ];
}

/** A container's first process, and so the parent of its orphans: it waits for them. */
const idle = "while :; do sleep 86400 & wait; done";

function startContainer(
  pod: PodName,
  list: NetworkList,
  runtime: Runtime,
): PodStep[] {
  return [{
    why: `containerd makes pod ${pod} a container, and has its plugins plug ` +
      "it in (ADD) before its program begins",
    run: runContainer(
      containerOn(runtime.machine, pod),
      cmd`sh -c ${idle}`,
      paths.sandbox(pod),
    ),
  }, {
    why:
      "What ADD printed is in the runtime's cache; it is kept for CHECK and DEL",
    run: keepCached(list.name, attachmentOf(pod), paths.result(pod)),
  }];
}

/** What takes a pod away, as far as there is one. */
export function endPod(
  pod: PodName,
  state: PodState,
  runtime: Runtime | undefined,
): PodStep[] {
  if (state.is === "none" || state.is === "foreign") return [];
  const { list, result } = state;
  const sandbox = state.is === "running" || state.sandbox;
  const endAll =
    'for pid in $(ip netns pids "$1"); do kill "$pid" || [ ! -e "/proc/$pid" ]; done';
  return [
    ...(runtime === undefined ? [] : [{
      why: `End the container of pod ${pod}; that alone calls no DEL`,
      run: endContainer(pod),
    }]),
    ...(list === undefined ? [] : del(list, attachmentOf(pod), result)
      .map((run) => ({
        why: `DEL: unplugs pod ${pod} and gives its address back`,
        run,
      }))),
    ...(!sandbox ? [] : [{
      why: `End what runs in pod ${pod}`,
      run: cmd`sh -c ${endAll} end ${pod}`,
    }, {
      why: "Remove its network namespace",
      run: cmd`ip netns del ${pod}`,
    }]),
    {
      why: `Forget pod ${pod}`,
      run: cmd`rm -rf ${paths.result(pod)} ${
        paths.result(pod)
      }.part ${folder}/${pod}.www ${
        runtime === undefined || list === undefined
          ? []
          : [cachePath(list.name, attachmentOf(pod))]
      } ${paths.list(pod)}`,
    },
  ];
}

// The interpreter is named, so that it also works where /run is mounted noexec.
const serveScript =
  'mkdir -p "$1" && printf "%s\\n" "$3" >"$1/source.cgi" && ' +
  'printf "*.cgi:/bin/sh\\n" >"$1/httpd.conf" && ' +
  'exec busybox httpd -p "$2" -h "$1" -c "$1/httpd.conf" </dev/null >/dev/null';

/** Answers with the caller's address, as this end sees it. */
const sourceScript =
  `printf 'Content-Type: text/plain\\r\\n\\r\\n%s\\n' "$REMOTE_ADDR"`;

/** What starts the web server of the pod "web". It is back once the server listens. */
export function servePod(runtime: Runtime | undefined): PodStep {
  const serve = serving(`${folder}/${server}.www`, 80);
  return {
    why: `Pod ${server} answers every caller with the address that it saw`,
    run: runtime === undefined
      ? {
        ...serve,
        argv: ["nsenter", `--net=${paths.sandbox(server)}`, ...serve.argv],
      }
      : execIn(server, "serve", serve),
  };
}

/** What starts the server of a node or of the outside host. */
export function serveNode(): PodStep {
  return {
    why: "This end too answers every caller with the address that it saw",
    run: serving(`${folder}/node.www`, nodePort),
  };
}

function serving(root: string, port: number): Command {
  return cmd`sh -c ${serveScript} serve ${root} ${port} ${sourceScript}`;
}

/** What ends the server of a node, found by the port on which it listens and the folder that it serves. */
export function unserveNode(): PodStep {
  const script =
    'ss -Hltnp "sport = :$2" | grep -o "pid=[0-9]*" | while IFS== read -r _ pid; do ' +
    'if grep -qszxF -e "$1" "/proc/$pid/cmdline"; then kill "$pid"; fi; done; ' +
    'rm -rf "$1"; rmdir "$3" 2>/dev/null || :';
  return {
    why: "End this end's server",
    run: cmd`sh -c ${script} unserve ${folder}/node.www ${nodePort} ${folder}`,
  };
}
