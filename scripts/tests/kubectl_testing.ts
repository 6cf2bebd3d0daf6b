/**
 * A stand-in for a Kubernetes of a lab's nodes, for tests of stage 09: it is
 * no API server and no kubelet. It takes the commands of kubectl that 09 sends
 * to the control plane, writes them down, and does on the lab's nodes what they
 * would bring about: pods are network namespaces that the plugin was executed
 * for, with what a container runtime remembers of that, and run what
 * config/pods.yaml says. The paths between them are the lab's own.
 */
import {
  cmd,
  type Command,
  type Outcome,
  type RunOptions,
  show,
  succeeded,
} from "../../lib/exec/command.ts";
import type { Node, Reach } from "../../lib/node/node.ts";
import {
  addCommands,
  delCommands,
  parseList,
  type PodAttachment,
} from "../../lib/cni/runtime.ts";

/** The stand-in. */
export interface StandIn {
  /** The lab's nodes, the control plane with the stand-in's kubectl. */
  readonly reach: Reach;
  /** The commands that kubectl was given, without what is the same in all. */
  readonly asked: string[];
  /** Nodes whose kubelet does not report. */
  readonly silent: Set<string>;
  /** The podCIDRs of Nodes that have any. */
  readonly podCIDRs: Map<string, string>;
  /** What the pods have as /etc/resolv.conf; with one, the cluster has DNS. */
  resolvConf: string | undefined;
  /** The path of a pod's network namespace on its node. */
  sandbox(pod: string): string;
}

interface Pod {
  readonly name: string;
  readonly node: string;
  readonly image: string;
  readonly addresses: readonly string[];
}

const listPath = "/etc/cni/net.d/10-deno-cni.conflist";

/** Puts the stand-in before a lab's nodes. */
export function standIn(inner: Reach, nodeNames: readonly string[]): StandIn {
  const pods = new Map<string, Pod>();
  const asked: string[] = [];
  const silent = new Set<string>();
  const podCIDRs = new Map<string, string>();
  let hasNamespace = false;

  const sandbox = (pod: string) => `/run/netns/cni-${pod}`;
  const resultPath = (pod: string) => `/run/${pod}.result`;
  const attachment = (name: string): PodAttachment => ({
    containerId: `stand-in-${name}`,
    netns: sandbox(name),
    podName: name,
  });
  const listOf = async (node: string) =>
    parseList(
      await on(inner.nodeOf(node), cmd`cat ${listPath}`),
      listPath,
    );

  async function start(name: string, document: string): Promise<void> {
    const node = /^ {2}nodeName: (\S+)$/m.exec(document)?.[1] ?? "";
    const image = /image: (\S+)$/m.exec(document)?.[1] ?? "";
    const worker = inner.nodeOf(node);
    await on(worker, cmd`ip netns add ${`cni-${name}`}`);
    await on(worker, cmd`nsenter --net=${sandbox(name)} ip link set lo up`);
    const list = await listOf(node);
    for (const run of addCommands(list, attachment(name), resultPath(name))) {
      await on(worker, run);
    }
    const result = JSON.parse(await on(worker, cmd`cat ${resultPath(name)}`));
    const entry = {
      kind: "cniCacheV1",
      cniArgs: [
        ["K8S_POD_NAMESPACE", "deno-cni-verify"],
        ["K8S_POD_NAME", name],
      ],
      result,
    };
    const script = 'mkdir -p "${1%/*}" && cat >"$1"';
    const cache = `/var/lib/cni/results/deno-cni-${name}-eth0`;
    await on(worker, {
      ...cmd`sh -c ${script} keep ${cache}`,
      stdin: JSON.stringify(entry) + "\n",
    });
    // A container's own /tmp, and its processes in the background.
    const program = /^ {8}- \|\n((?: {10,}.*\n)+)/m.exec(document)?.[1]
      ?.replace(/^ +/gm, "");
    if (program !== undefined) {
      const run = "mount -t tmpfs tmpfs /tmp; " +
        'setsid sh -euc "$1" </dev/null >/dev/null 2>&1 &';
      await on(
        worker,
        cmd`nsenter --net=${
          sandbox(name)
        } unshare -m sh -c ${run} run ${program}`,
      );
    }
    pods.set(name, {
      name,
      node,
      image,
      addresses: result.ips.map(({ address }: { address: string }) =>
        address.split("/")[0]
      ),
    });
  }

  async function end(name: string): Promise<void> {
    const pod = pods.get(name);
    if (pod === undefined) return;
    const worker = inner.nodeOf(pod.node);
    for (
      const run of delCommands(
        await listOf(pod.node),
        attachment(name),
        undefined,
      )
    ) {
      await on(worker, run);
    }
    const script = 'for pid in $(ip netns pids "$1"); do kill "$pid"; done; ' +
      'ip netns del "$1"; rm -f "$2" /var/lib/cni/results/*-"$3"-eth0';
    await on(
      worker,
      cmd`sh -c ${script} end ${`cni-${name}`} ${resultPath(name)} ${name}`,
    );
    pods.delete(name);
  }

  function objects(): string {
    const condition = (name: string) =>
      silent.has(name)
        ? {
          type: "Ready",
          status: "Unknown",
          reason: "NodeStatusUnknown",
          message: "Kubelet stopped posting node status.",
        }
        : { type: "Ready", status: "True", reason: "KubeletReady" };
    const labels = { "app.kubernetes.io/managed-by": "deno-cni" };
    return JSON.stringify({
      items: [
        ...nodeNames.map((name) => ({
          kind: "Node",
          metadata: { name },
          spec: { podCIDR: podCIDRs.get(name) },
          status: { conditions: [condition(name)] },
        })),
        ...(hasNamespace
          ? [{
            kind: "Namespace",
            metadata: { name: "deno-cni-verify", labels },
          }]
          : []),
        ...[...pods.values()].map(({ name, node, image, addresses }) => ({
          kind: "Pod",
          metadata: { name, uid: name },
          spec: { nodeName: node, containers: [{ image }] },
          status: {
            phase: "Running",
            podIPs: addresses.map((ip) => ({ ip })),
            containerStatuses: [{ state: { running: {} } }],
          },
        })),
      ],
    });
  }

  async function answer(
    args: readonly string[],
    command: Command,
    options: RunOptions | undefined,
  ): Promise<Outcome> {
    const said = (stdout: string): Outcome => ({ code: 0, stdout, stderr: "" });
    const [verb, what, ...rest] = args;
    switch (verb) {
      case "get":
        // There is no kube-proxy, so no service leads anywhere.
        if (what === "service") return said("");
        return what === "endpoints"
          ? said(
            self.resolvConf === undefined
              ? ""
              : '{"subsets":[{"addresses":[{"ip":"1"}]}]}',
          )
          : said(objects());
      case "apply":
        for (const document of (command.stdin ?? "").split("---\n")) {
          const name = /^ {2}name: (\S+)$/m.exec(document)?.[1] ?? "";
          if (/^kind: Namespace$/m.test(document)) hasNamespace = true;
          else if (/^kind: Pod$/m.test(document) && !pods.has(name)) {
            await start(name, document);
          }
        }
        return said("applied\n");
      case "delete":
        if (what === "namespace") hasNamespace = false;
        else {
          const names = rest[0] === "--all" ? [...pods.keys()] : rest;
          for (const name of names) await end(name);
        }
        return said("deleted\n");
      case "exec": {
        const pod = pods.get(what ?? "");
        const inside = rest.slice(rest.indexOf("--") + 1);
        if (pod === undefined) {
          return { code: 1, stdout: "", stderr: "pods not found" };
        }
        if (silent.has(pod.node)) {
          const stderr = "Error from server: error dialing backend: " +
            "dial tcp: connect: connection refused";
          return { code: 1, stdout: "", stderr };
        }
        const script = 'printf "%s\\n" "$1" >/run/resolv.conf; ' +
          "mount --bind /run/resolv.conf /etc/resolv.conf; " +
          'shift; exec "$@"';
        const resolv = self.resolvConf ?? "";
        return await inner.nodeOf(pod.node).run(
          cmd`nsenter --net=${
            sandbox(pod.name)
          } unshare -m sh -c ${script} exec ${resolv} ${inside}`,
          options,
        );
      }
    }
    throw new Error(`the stand-in knows no kubectl ${args.join(" ")}`);
  }

  const self: StandIn = {
    asked,
    silent,
    podCIDRs,
    resolvConf: undefined,
    sandbox,
    reach: {
      ...inner,
      nodeOf(name) {
        const node = inner.nodeOf(name);
        if (name !== nodeNames[0]) return node;
        const wrapped: Node = {
          ...node,
          async run(command, options) {
            const args = kubectlArgs(command);
            if (args === undefined) return await node.run(command, options);
            asked.push(args.join(" "));
            return await answer(args, command, options);
          },
        };
        return wrapped;
      },
    },
  };
  return self;
}

/** What kubectl is given by a command, without its configuration and namespace; undefined where it is not started. */
function kubectlArgs({ argv }: Command): string[] | undefined {
  if (argv[0] === "sh" && argv[2]?.includes("exec kubectl ")) {
    return ["get", "nodes,namespaces,pods,events"];
  }
  if (argv[0] !== "kubectl") return undefined;
  const args = argv.slice(3);
  return args[0] === "-n" ? args.slice(2) : args;
}

async function on(node: Node, command: Command): Promise<string> {
  const outcome = await node.run(command);
  if (succeeded(outcome)) return outcome.stdout;
  throw new Error(
    `${node.name}: ${show(command)}: ${outcome.stdout}${outcome.stderr}`,
  );
}
