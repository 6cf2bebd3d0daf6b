/** What is known of a cluster besides its file, and what only machines that are no lab have. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ClusterFileError } from "./yaml.ts";
import { mistakes, small } from "./cluster_file_testing.ts";
import { keptWords } from "./kept_pod_cidrs.ts";
import { loadCluster, parseCluster } from "./load.ts";

/** The small cluster in a folder of its own, with what 02 found out about it. */
async function withState(
  podCIDRs: string,
  body: (file: string, stateRoot: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/small`);
    await Deno.writeTextFile(`${folder}/small/pod-cidrs.json`, podCIDRs);
    await Deno.writeTextFile(`${folder}/c.yaml`, small);
    await body(`${folder}/c.yaml`, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("what stage 02 found out is part of the cluster", () =>
  withState(
    '{"worker-1":["10.244.1.0/24"], "gone": ["10.244.9.0/24"]}',
    async (file, stateRoot) => {
      const { nodes } = await loadCluster(file, { stateRoot });
      assertEquals(nodes.map(({ podCIDRs }) => podCIDRs), [
        [],
        ["10.244.1.0/24"],
      ]);
    },
  ));

Deno.test("what the file says of a podCIDR beats what stage 02 found out", () =>
  withState(
    '{"worker-1":["10.244.1.0/24"]}',
    async (file, stateRoot) => {
      const said = small + "    podCIDRs: 10.244.7.0/24\n";
      await Deno.writeTextFile(file, said);
      const { nodes } = await loadCluster(file, { stateRoot });
      assertEquals(nodes[1]?.podCIDRs, ["10.244.7.0/24"]);
    },
  ));

Deno.test("$DENO_CNI_STATE names the folder of the clusters' states", () =>
  withState('{"worker-1":["10.244.1.0/24"]}', async (file, stateRoot) => {
    const before = Deno.env.get("DENO_CNI_STATE");
    try {
      Deno.env.set("DENO_CNI_STATE", stateRoot);
      const { stateDir, nodes } = await loadCluster(file);
      assertEquals(stateDir, `${stateRoot}/small`);
      assertEquals(nodes[1]?.podCIDRs, ["10.244.1.0/24"]);
      Deno.env.set("DENO_CNI_STATE", "relative");
      const { stateDir: other } = await loadCluster(file);
      assertEquals(other, `${Deno.cwd()}/relative/small`);
    } finally {
      if (before === undefined) Deno.env.delete("DENO_CNI_STATE");
      else Deno.env.set("DENO_CNI_STATE", before);
    }
  }));

Deno.test("what stage 02 found out and no longer fits is refused, with what to do", async () => {
  for (
    const [content, ...said] of [
      ["{", "not JSON"],
      [
        "[]",
        'expected podCIDRs by node name, e.g. {"worker-1": ["10.244.1.0/24"]}',
      ],
      ['{"worker-1":"x"}', "worker-1: expected a list of podCIDRs"],
      [
        '{"worker-1":["x", 1]}',
        "worker-1: x is not a CIDR; expected e.g. 10.244.0.0/16",
        "worker-1: 1 is not text; expected a CIDR, e.g. 10.244.0.0/16",
      ],
    ] as const
  ) {
    await withState(content, async (file, stateRoot) => {
      const { mistakes } = await assertRejects(
        () => loadCluster(file, { stateRoot }),
        ClusterFileError,
      );
      assertEquals(
        mistakes,
        said.map((what) =>
          `${stateRoot}/small/pod-cidrs.json: ${
            what.replace("FILE", file)
          }; remove it and run 02-kubeadm again`
        ),
      );
      const alone = await loadCluster(file, { stateRoot, ignoreFound: true });
      assertEquals(alone.nodes[1]?.podCIDRs, []);
    });
  }
});

Deno.test("podCIDRs that an edited file no longer holds are kept by what was made of them: said, with the line that moves all of it", async () => {
  for (
    const [content, said] of [
      [
        '{"worker-1":["10.9.1.0/24"]}',
        "worker-1: 10.9.1.0/24 lies outside the clusterCIDR 10.244.0.0/16",
      ],
      [
        '{"worker-1":["10.244.1.0/24"],"master":["10.244.0.0/23"]}',
        "worker-1: 10.244.1.0/24 overlaps 10.244.0.0/23 of master",
      ],
      [
        '{"worker-1":["10.244.0.0/16"]}',
        "10.244.0.0/16 has no subnet left for the node master; expected a /24 for each",
      ],
    ] as const
  ) {
    await withState(content, async (file, stateRoot) => {
      const { mistakes: [what, todo, ...more] } = await assertRejects(
        () => loadCluster(file, { stateRoot }),
        ClusterFileError,
      );
      assertEquals(more, []);
      const path = `${stateRoot}/small/pod-cidrs.json`;
      assertEquals(what, `${path}: ${said} (${file})`);
      assertEquals(
        todo,
        `what to do: write back what ${file} had, for bridges, leases, routes and ` +
          "the nodes' journals keep the podCIDRs that the nodes were given " +
          `(${path}); to move them: make down CLUSTER=${file} && make up CLUSTER=${file}`,
      );
      // What takes all of it back goes by journals.
      const undone = await loadCluster(file, { stateRoot, dropUnfit: true });
      assertEquals(undone.nodes.map(({ podCIDRs }) => podCIDRs), [[], []]);
    });
  }
});

Deno.test("a nodeMask that was edited moves nothing, which is said; on machines the usual one says nothing", () => {
  const words = (text: string, podCIDR = "10.244.1.0/24") => {
    const inFile = parseCluster(text, "c.yaml", "/state");
    const nodes = inFile.nodes.map((node) => ({
      ...node,
      podCIDRs: [podCIDR],
    }));
    return keptWords(inFile, { ...inFile, nodes });
  };
  assertEquals(words(small), undefined);
  const edited = small.replace("nodes:", "nodeMask: 25\nnodes:");
  assertStringIncludes(
    words(edited) ?? "",
    "nodeMask is 25 in c.yaml, and the nodes have podCIDRs of /24: bridges",
  );
  assertStringIncludes(words(small, "10.244.1.0/25") ?? "", "of /25");
  const machines = (text: string) =>
    text.replace("nodes:", "provider: ssh\nnodes:");
  assertEquals(words(machines(small), "10.244.1.0/25"), undefined);
  assertStringIncludes(
    words(machines(edited)) ?? "",
    "make up ARGS=--undo CLUSTER=c.yaml && make up CLUSTER=c.yaml",
  );
});

Deno.test("$DENO_CNI_RUNTIME beats the file's runtime", () =>
  withState("{}", async (file, stateRoot) => {
    const load = async (value: string) => {
      const before = Deno.env.get("DENO_CNI_RUNTIME");
      try {
        Deno.env.set("DENO_CNI_RUNTIME", value);
        return (await loadCluster(file, { stateRoot })).runtime;
      } finally {
        if (before === undefined) Deno.env.delete("DENO_CNI_RUNTIME");
        else Deno.env.set("DENO_CNI_RUNTIME", before);
      }
    };
    assertEquals(await load(""), undefined);
    assertEquals(await load("containerd"), "containerd");
    const wrong = await assertRejects(() => load("docker"), ClusterFileError);
    assertEquals(wrong.mistakes, [
      'DENO_CNI_RUNTIME: "docker" is not one of none, containerd',
    ]);
    await Deno.writeTextFile(file, `runtime: containerd\n${small}`);
    assertEquals(await load(""), "containerd");
    assertEquals(await load("none"), undefined);
    // What the lab was made with, where nothing is asked for now.
    await Deno.mkdir(`${stateRoot}/small`, { recursive: true });
    await Deno.writeTextFile(`${stateRoot}/small/runtime`, "none\n");
    assertEquals(await load(""), undefined);
    assertEquals(await load("containerd"), "containerd");
    await Deno.remove(`${stateRoot}/small/runtime`);
    await Deno.writeTextFile(
      file,
      "provider: local\nname: here\nclusterCIDR: 10.244.0.0/16\n" +
        "nodes:\n  - {name: a, role: control-plane, address: 10.0.1.10}\n",
    );
    const local = await assertRejects(
      () => load("containerd"),
      ClusterFileError,
    );
    assertEquals(local.mistakes, [
      `DENO_CNI_RUNTIME: containerd is for a lab's nodes, and ${file} is no lab`,
    ]);
  }));

Deno.test("kubernetes is for machines that are no lab, and its version has packages", () => {
  const machines = (text: string) =>
    `name: real
provider: ssh
clusterCIDR: 10.244.0.0/16
${text}
nodes: [{ name: master, role: control-plane, address: 10.0.1.10 }]
`;
  const cluster = parseCluster(
    machines("kubernetes: { podsOnControlPlane: yes }"),
    "c.yaml",
    "/state",
  );
  assertEquals(cluster.kubernetes, {
    version: "1.31",
    podsOnControlPlane: "yes",
    testImage: "docker.io/library/busybox:1.36",
  });
  const image = "registry.example.org:5000/tools/busybox@sha256:" +
    "0".repeat(64);
  const own = machines(`kubernetes: { testImage: "${image}" }`);
  assertEquals(
    parseCluster(own, "c.yaml", "/state").kubernetes?.testImage,
    image,
  );
  const [none = ""] = mistakes(
    machines('kubernetes: { testImage: "busybox; rm -rf /" }'),
  );
  assertStringIncludes(none, "is no image's name");
  for (const version of ["1.20", "1.31.2", "v1.31", "latest"]) {
    const [said = ""] = mistakes(
      machines(`kubernetes: { version: "${version}" }`),
    );
    assertStringIncludes(said, "is not a minor version with packages");
  }
  const { nodeMasks } = parseCluster(
    machines("nodeMask: 26"),
    "c.yaml",
    "/state",
  );
  assertEquals(nodeMasks, [26]);
  const lab = machines('kubernetes: { version: "1.31" }')
    .replace("provider: ssh", "provider: lab");
  const [notThere = ""] = mistakes(lab);
  assertStringIncludes(notThere, "provider: lab has no Kubernetes");
});

Deno.test("pages beyond the cluster are for machines that are no lab, one a family, by address", () => {
  const machines = (url: string) =>
    `name: real
provider: ssh
clusterCIDR: [10.244.0.0/16, "fd00:10:244::/56"]
outside: { url: ${url} }
nodes: [{ name: master, role: control-plane, address: [10.0.1.10, "fd00::1"] }]
`;
  const four = "http://203.0.113.8:8080/source?plain=1";
  const six = "http://[2001:db8::8]/source";
  const { outside } = parseCluster(
    machines(`["${four}", "${six}"]`),
    "c.yaml",
    "/state",
  );
  assertEquals(outside.urls, [four, six]);
  assertEquals(outside.addresses, ["203.0.113.8", "2001:db8::8"]);
  for (
    const url of [
      "https://203.0.113.8/",
      "http://example.org/",
      "http://203.0.113.8",
      "http://203.0.113.256/",
      "http://[203.0.113.8]/",
    ]
  ) {
    const [said = ""] = mistakes(machines(`"${url}"`));
    assertStringIncludes(said, "outside.url: ");
    assertStringIncludes(said, "is no page to ask; expected http://ADDRESS/");
  }
  const [twice = ""] = mistakes(machines(`["${four}", "http://192.0.2.1/"]`));
  assertStringIncludes(twice, "of the same family");
  const lab = mistakes(
    machines(`"${six}"`).replace("provider: ssh", "provider: lab"),
  );
  assertStringIncludes(
    lab.join("\n"),
    "provider: lab has an outside host of its own",
  );
});
