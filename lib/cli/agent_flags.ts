/** The flags of the agent. */
import { type Flag, option, switched } from "./flags.ts";
import { standard } from "./standard_flags.ts";

/** An address and a port to listen on. */
interface Listen {
  readonly hostname: string;
  readonly port: number;
}

function listenFlag(name: string, does: string): Flag<Listen | undefined> {
  return option<Listen>({
    name,
    value: "ADDRESS:PORT",
    does,
    expected: "an address and a port, e.g. 127.0.0.1:9411",
    read(value) {
      const [, six, four, port] =
        /^(?:\[([0-9a-fA-F:]+)\]|([0-9.]+)):(\d{1,5})$/.exec(value) ?? [];
      const hostname = six ?? four;
      return hostname === undefined || Number(port) > 65_535
        ? undefined
        : { hostname, port: Number(port) };
    },
  });
}

const absolute = {
  expected: "an absolute path",
  read: (value: string) => value.startsWith("/") ? value : undefined,
};

export const agentFlags = {
  node: option({
    name: "node",
    value: "NAME",
    does: "the name of this machine's Node",
    variable: "NODE_NAME",
    read: String,
  }),
  config: option({
    name: "config",
    value: "FILE",
    does: "the network: the keys of a cluster file, without nodes",
    default: "/etc/deno-cni/cluster.yaml",
    read: String,
  }),
  kubeconfig: option({
    name: "kubeconfig",
    value: "FILE",
    does: "what opens the API server outside of a pod",
    read: String,
  }),
  hostRoot: option({
    name: "host-root",
    value: "FOLDER",
    does: "in a container: where the machine's root is mounted",
    variable: "DENO_CNI_HOST_ROOT",
    default: "/",
    ...absolute,
  }),
  health: listenFlag("health", "serve /healthz and /readyz there"),
  metrics: listenFlag("metrics", "serve /metrics for Prometheus there"),
  install: switched(
    "install",
    "hand the cluster over to agents: a lab's are a process, others' pods",
    { excludes: "cleanup" },
  ),
  takeBack: switched(
    "take-back",
    "end the agents; the network stays, and the stages keep it again",
    { excludes: "install" },
  ),
  cleanup: switched(
    "cleanup",
    "end the agents, and take everything off the cluster's nodes",
    { excludes: "take-back" },
  ),
  ...standard("cluster"),
  to: option({
    name: "to",
    value: "FOLDER",
    does: "install-plugin: the runtime's folder of plugins",
    ...absolute,
  }),
  loopback: option({
    name: "loopback",
    value: "FILE",
    does: "install-plugin: the reference plugin of that name",
    default: "/usr/lib/cni/loopback",
    read: String,
  }),
};
