// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Cluster } from "../cluster/cluster.ts";
import { labCluster } from "../cluster/cluster_testing.ts";
import { cmd, type Command } from "../exec/command.ts";
import type { Node } from "../node/node.ts";
import { run } from "../exec/run.ts";
import type { ConsentRequest } from "../stage/consent.ts";
import {
  beforeBridgeGoes,
  beforeForwardingGoes,
  beforeMasqueradeGoes,
  beforePluginGoes,
  beforeReset,
  beforeRoutesGo,
} from "./undo_consent.ts";

const lab = labCluster({ name: "machines", stateDir: "/state/machines" });
const machines: Cluster = { ...lab, provider: "ssh" };
const all = machines.nodes.map(({ name }) => name);

const own = `kube-system/etcd-master master
kube-system/kube-proxy-x2 worker-1
kube-system/coredns-74ff55c5b-q worker-1
deno-cni-verify/web-worker-1 worker-1
`;

interface Machine {
  /** What kubectl prints; undefined: the API server does not answer. */
  readonly pods: string | undefined;
  readonly state?: string;
  readonly cluster?: Cluster;
  readonly undone?: readonly string[];
  readonly befores?: readonly (typeof beforeReset)[];
}

const both = [beforeReset, beforePluginGoes];

/** What these have to say of a control plane with a stand-in for kubectl. */
async function asked(
  {
    pods,
    state = "done",
    cluster = machines,
    undone = all,
    befores = both,
  }: Machine,
): Promise<(ConsentRequest | undefined)[]> {
  const folder = await Deno.makeTempDir();
  try {
    const kubectl = pods === undefined
      ? "echo refused >&2; exit 1"
      : `cat ${folder}/pods`;
    await Deno.writeTextFile(`${folder}/kubectl`, `#!/bin/sh\n${kubectl}\n`, {
      mode: 0o755,
    });
    await Deno.writeTextFile(`${folder}/pods`, pods ?? "");
    if (state !== "theirs") await Deno.writeTextFile(`${folder}/state`, state);
    await Deno.writeTextFile(`${folder}/admin.conf`, "");
    const here = (command: Command) =>
      cmd`${
        command.argv.map((word) =>
          word.replace("/etc/kubernetes/admin.conf", `${folder}/admin.conf`)
            .replace("/var/lib/deno-cni/kubeadm", `${folder}/state`)
        )
      }`;
    const env = { PATH: `${folder}:/usr/bin:/bin` };
    const node = (name: string) => {
      assertEquals(name, "master");
      return { run: (command: Command) => run(here(command), { env }) } as Node;
    };
    return await Promise.all(
      befores.map((before) => before(cluster, undone, node, {})),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const theirs = "shop/web-1 worker-1\nshop/web-2 worker-2\n";

Deno.test("a cluster with pods of others is reset only where a person agrees, who is told which", async () => {
  const [reset, network] = await asked({ pods: own + theirs });
  assert(reset && network);
  assertStringIncludes(reset.what, "and with it 2 pods of others");
  assertEquals(reset.preview, theirs.trim());
  assertStringIncludes(network.what, "they can neither end nor start");
});

Deno.test("kubeadm's own pods and those of stage 09 are nobody's loss", async () => {
  assertEquals(await asked({ pods: own }), [undefined, undefined]);
});

Deno.test("a cluster that was there before keeps its nodes, and its pods lose their network", async () => {
  const [reset, network] = await asked({ pods: theirs, state: "theirs" });
  assertEquals(reset, undefined);
  assertStringIncludes(network?.what ?? "", "from 2 pods of others");
});

Deno.test("of a worker alone its own pods count", async () => {
  const [reset] = await asked({ pods: theirs, undone: ["worker-2"] });
  assertEquals(reset?.preview, "shop/web-2 worker-2");
  assertEquals(
    await asked({ pods: "shop/a worker-1\n", undone: ["worker-2"] }),
    [
      undefined,
      undefined,
    ],
  );
});

Deno.test("a long list is cut, with how many more there are", async () => {
  const pods = Array.from({ length: 62 }, (_, at) => `shop/web-${at} worker-1`);
  const [reset] = await asked({ pods: pods.join("\n") + "\n" });
  const lines = reset?.preview?.split("\n") ?? [];
  assertEquals([lines.length, lines.at(-1)], [11, "and 52 more"]);
});

Deno.test("an API server that does not answer is no leave to reset; a cluster cut off in its making is", async () => {
  const [reset] = await asked({ pods: undefined });
  assertStringIncludes(reset?.preview ?? "", "cannot be told: refused");
  assertEquals(await asked({ pods: undefined, state: "running" }), [
    undefined,
    undefined,
  ]);
});

Deno.test("a lab is asked nothing", async () => {
  assertEquals(await asked({ pods: theirs, cluster: lab }), [
    undefined,
    undefined,
  ]);
});

Deno.test("each stage that takes a part of the network from pods of others asks first, in the same words", async () => {
  const pods = own + theirs;
  for (
    const [before, effect, command] of [
      [beforeBridgeGoes, "without the bridge", "ip link del cni0"],
      [beforeForwardingGoes, "do not forward", "iptables -D FORWARD -s 10.244"],
      [beforeMasqueradeGoes, "nothing outside", "iptables -t nat"],
      [beforeRoutesGo, "those of other nodes", "ip route flush"],
    ] as const
  ) {
    const [request] = await asked({ pods, befores: [before] });
    assert(request);
    assertStringIncludes(
      request.what,
      "take the network away from 2 pods of others: ",
    );
    assertStringIncludes(request.what, effect);
    assertEquals(request.preview, theirs.trim());
    assertStringIncludes(request.commands.join(), command);
    assertEquals(await asked({ pods: own, befores: [before] }), [undefined]);
  }
});
