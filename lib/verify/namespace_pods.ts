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
import { cmd, type Command } from "../exec/command.ts";
import { write } from "../exec/shell_file.ts";
import {
  containerOn,
  endContainer,
  execIn,
  runContainer,
  type Runtime,
} from "../cni/containerd.ts";
import { freshSettings } from "../lab/fresh_settings.ts";
import type { Runner } from "../node/node.ts";
import {
  addCommands,
  type AddResult,
  delCommands,
  type NetworkList,
  parseList,
  type PodAttachment,
} from "../cni/runtime.ts";
import { cachePath, keepCached } from "../cni/result_cache.ts";
import type { Step } from "../stage/stage.ts";

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
/** Where a node remembers its pods. */
export const folder = "/run/deno-cni-pods";

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

/** A pod's address file and the like, by pod. */
export const paths = {
  list: (pod: string) => `${folder}/${pod}.conflist`,
  result: (pod: string) => `${folder}/${pod}.json`,
  sandbox: (pod: string) => `/run/netns/${pod}`,
} as const;

/**
 * A pod to run commands of the node in, wherever that is.
 *
 * @param sandbox the path of its network namespace on the node
 */
export function podOn(
  node: Runner,
  pod: string,
  sandbox: string = paths.sandbox(pod),
): Runner {
  const inside = (command: Command): Command => ({
    ...command,
    argv: [
      "nsenter",
      `--net=${sandbox}`,
      ...command.argv,
    ],
  });
  return {
    name: `${pod} on ${node.name}`,
    enter: (command) => node.enter(inside(command)),
    run: (command, options) => node.run(inside(command), options),
  };
}

/** A step of stage 09 on a node: always a command, never undone by the engine. */
export type PodStep = Step & { readonly run: Command };

/** The pod as its plugins know it. */
export function podAttachment(pod: string): PodAttachment {
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
  pod: string,
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
      why: "It begins with copies of the machine's own settings, such as " +
        "ip_forward; a pod is no router",
      run: inSandbox(pod, freshSettings()),
    },
    {
      why: "A new namespace's lo is down; a runtime brings it up",
      run: inSandbox(pod, cmd`ip link set lo up`),
    },
    ...(runtime === undefined
      ? addCommands(list, podAttachment(pod), paths.result(pod)).map((
        run,
        at,
      ) => ({
        why: `ADD: ${
          list.plugins[at]?.type
        } plugs the pod in; what it prints is kept for CHECK and DEL`,
        run,
      }))
      : startContainer(pod, list, runtime)),
  ];
}

function inSandbox(pod: string, command: Command): Command {
  const { argv, label } = command;
  return {
    ...command,
    argv: ["nsenter", `--net=${paths.sandbox(pod)}`, ...argv],
    ...(label === undefined ? {} : { label: `in pod ${pod}: ${label}` }),
  };
}

/** A container's first process, and so the parent of its orphans: it waits for them. */
const idle = "while :; do sleep 86400 & wait; done";

function startContainer(
  pod: string,
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
    run: keepCached(list.name, podAttachment(pod), paths.result(pod)),
  }];
}

/** What takes a pod away, as far as there is one. */
export function endPod(
  pod: string,
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
    ...(list === undefined ? [] : delCommands(list, podAttachment(pod), result)
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
          : [cachePath(list.name, podAttachment(pod))]
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
      ? inSandbox(server, serve)
      : execIn(server, "serve", serve),
  };
}

/** What starts the server of a lab's node or of the outside host. */
export function serveNode(): PodStep {
  return {
    why: "This end too answers every caller with the address that it saw",
    run: serving(`${folder}/node.www`, nodePort),
  };
}

function serving(root: string, port: number): Command {
  return cmd`sh -c ${serveScript} serve ${root} ${port} ${sourceScript}`;
}
