/** config/kubernetes/ beside the program that it starts. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { readYaml } from "../cluster/yaml.ts";
import { parseNetworkPart } from "../cluster/network_part.ts";
import { agentFlags } from "../cli/agent_flags.ts";
import { projectRoot } from "../exec/project_root.ts";
import { projectVersion } from "../exec/project_version.ts";
import { refusals } from "./manifest_fields_testing.ts";

interface Container {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly resources: {
    readonly requests: Record<string, string>;
    readonly limits: Record<string, string>;
  };
  readonly securityContext: {
    readonly privileged?: boolean;
    readonly allowPrivilegeEscalation: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly capabilities: { readonly drop: readonly string[] };
  };
  readonly volumeMounts?: readonly { name: string; mountPath: string }[];
}

interface PodSpec {
  readonly hostNetwork: boolean;
  readonly priorityClassName?: string;
  readonly serviceAccountName?: string;
  readonly tolerations: readonly Record<string, string>[];
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly { readonly name: string }[];
}

/** As far as these tests look at one. */
interface Resource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
  };
  readonly data?: Record<string, string>;
  readonly roleRef?: { readonly name: string };
  readonly subjects?: readonly { name: string; namespace: string }[];
  readonly spec?: {
    readonly updateStrategy: unknown;
    readonly selector: { matchLabels: Record<string, string> };
    readonly template: {
      readonly metadata: { readonly labels: Record<string, string> };
      readonly spec: PodSpec;
    };
  };
}

const folder = `${projectRoot}/config/kubernetes`;
const text = (path: string) => Deno.readTextFile(path);

async function resources(file: string): Promise<readonly Resource[]> {
  const parts = (await text(`${folder}/${file}`)).split(/^---$/m);
  return parts.map((part) => readYaml(part, file).value as Resource);
}

const manifest = await resources("deno-cni.yaml");
const cleanup = await resources("cleanup.yaml");
const one = (kind: string, of = manifest): Resource => {
  const [found] = of.filter((resource) => resource.kind === kind);
  assert(found, kind);
  return found;
};
const podOf = (of: readonly Resource[]): PodSpec =>
  one("DaemonSet", of).spec!.template.spec;
const containers = [manifest, cleanup].flatMap((of) => {
  const { initContainers, containers } = podOf(of);
  return [...initContainers, ...containers];
});

Deno.test("the manifest's image is the one that is made of this version", async () => {
  const command = await text(`${projectRoot}/scripts/image.ts`);
  const [, name] = /default: "(.*\/.*)"/.exec(command) ?? [];
  for (const container of containers) {
    assertEquals(container.image, `${name}:${projectVersion()}`);
  }
});

Deno.test("the image's program knows every word and flag that the manifest gives it", async () => {
  const program = await text(`${projectRoot}/scripts/agent.ts`);
  const flags = Object.values(agentFlags).map(({ name }) => `--${name}`);
  for (const { name, args } of containers) {
    if (args === undefined) continue;
    const [door = "", ...more] = args;
    assertStringIncludes(program, `\n  ${/-/.test(door) ? `"${door}"` : door}`);
    for (const word of more.filter((word) => word.startsWith("--"))) {
      assert(flags.includes(word), `${name}: ${word}`);
    }
  }
});

Deno.test("the network that the manifest brings is one that the agent accepts", () => {
  const { "cluster.yaml": part = "" } = one("ConfigMap").data ?? {};
  const { cluster, auto } = parseNetworkPart(part, "cluster.yaml");
  assertEquals(cluster.clusterCIDRs, ["10.244.0.0/16"]);
  assertEquals(auto, true);
});

Deno.test("an API server finds no field in them that it does not know, and no value of another type", async () => {
  const kustomization = await resources("kustomization.yaml");
  const all = [...manifest, ...cleanup, ...kustomization];
  assertEquals(all.flatMap(refusals), []);
});

Deno.test("what an API server would refuse in a manifest is found", async () => {
  const whole = await text(`${folder}/deno-cni.yaml`);
  const mistakes = [
    ["hostNetwork: true", "hostNetwrok: true", "hostNetwrok: unknown field"],
    ["hostNetwork: true", 'hostNetwork: "true"', 'hostNetwork: "true" is no'],
    ["maxUnavailable: 1", "maxUnavailable: one", "maxUnavailable: "],
    ["port: 9412", 'port: "9412"', "port: "],
    ["cpu: 20m", "cpu: 20 m", "requests.cpu: "],
    ["readOnly: true", "readonly: true", "readonly: unknown field"],
    ["drop: [ALL]", "drop: ALL", "drop: is no list"],
    ["verbs: [patch]", "verb: [patch]", "lacks verbs"],
    ["apps/v1", "apps/v1beta1", "no such kind"],
    ["mountPropagation: HostToContainer", "mountPropagation: Both", "Both"],
    [
      "priorityClassName: s",
      "securityContext: {privileged: true}\n      x: s",
      "unknown",
    ],
  ] as const;
  for (const [right, wrong, said] of mistakes) {
    assert(whole.includes(right), right);
    const parts = whole.replace(right, wrong).split(/^---$/m);
    const found = parts.flatMap((part) =>
      refusals(readYaml(part, "changed").value)
    );
    assertStringIncludes(found.join("\n"), said);
  }
});

Deno.test("one node after the other is updated, and none is without its agent for want of room", () => {
  const { updateStrategy } = one("DaemonSet").spec!;
  assertEquals(updateStrategy, {
    type: "RollingUpdate",
    rollingUpdate: { maxUnavailable: 1 },
  });
  assertEquals(podOf(manifest).priorityClassName, "system-node-critical");
});

Deno.test("the parts of the manifest name each other", () => {
  const { metadata: { name } } = one("Namespace");
  for (const { kind, metadata } of manifest) {
    const isGlobal = kind === "Namespace" || kind.startsWith("ClusterRole");
    assertEquals(metadata.namespace, isGlobal ? undefined : name, kind);
  }
  const account = one("ServiceAccount").metadata.name;
  const { roleRef, subjects } = one("ClusterRoleBinding");
  assertEquals(roleRef?.name, one("ClusterRole").metadata.name);
  assertEquals(subjects?.map((subject) => [subject.name, subject.namespace]), [
    [account, name],
  ]);
  assertEquals(podOf(manifest).serviceAccountName, account);
});

for (
  const [file, of] of [["deno-cni", manifest], ["cleanup", cleanup]] as const
) {
  Deno.test(`${file}.yaml runs on every node, and has no more rights than it names`, () => {
    const { spec } = one("DaemonSet", of);
    const pod = podOf(of);
    assertEquals(pod.hostNetwork, true);
    assertEquals(pod.tolerations, [{ operator: "Exists" }]);
    assertEquals(
      one("Namespace", of).metadata
        .labels?.["pod-security.kubernetes.io/enforce"],
      "privileged",
    );
    assertEquals(spec!.selector.matchLabels, spec!.template.metadata.labels);
    const volumes = pod.volumes.map(({ name }) => name);
    for (const container of [...pod.initContainers, ...pod.containers]) {
      const rights = container.securityContext;
      assertEquals(rights.privileged, undefined);
      assertEquals(rights.allowPrivilegeEscalation, false);
      assertEquals(rights.readOnlyRootFilesystem, true);
      assertEquals(rights.capabilities.drop, ["ALL"]);
      assert(container.resources.limits.memory, container.name);
      for (const { name } of container.volumeMounts ?? []) {
        assert(volumes.includes(name), `${container.name}: ${name}`);
      }
    }
  });
}

const page = await text(`${projectRoot}/docs/kubernetes.md`);

Deno.test("the page's overlay is one that kubectl takes, with a network that the agent accepts", () => {
  const [, overlay = ""] = /```yaml\n(.*?)```/s.exec(page) ?? [];
  const kustomization = readYaml(overlay, "kubernetes.md").value as {
    readonly images: readonly { readonly name: string }[];
    readonly patches: readonly { readonly patch: string }[];
  };
  assertEquals(refusals(kustomization), []);
  const [container] = containers;
  for (const { name } of kustomization.images) {
    assertEquals(name, container?.image.replace(/:[^:]*$/, ""));
  }
  for (const { patch } of kustomization.patches) {
    const resource = readYaml(patch, "kubernetes.md").value as Resource;
    assertEquals(refusals(resource), []);
    const { metadata, kind } = resource;
    assertEquals(metadata.name, one(kind).metadata.name);
    assertEquals(metadata.namespace, one(kind).metadata.namespace);
    const { "cluster.yaml": part = "" } = resource.data ?? {};
    parseNetworkPart(part, "cluster.yaml");
  }
});

Deno.test("what the page's commands name is there", async () => {
  const lines = [...page.matchAll(/```sh\n(.*?)```/gs)]
    .flatMap(([, block = ""]) => block.split("\n"));
  const whole = [...lines, ...page.matchAll(/`((?:kubectl|make) [^`]*)`/g)]
    .map((one) => typeof one === "string" ? one : one[1] ?? "");
  const flags = await text(`${projectRoot}/scripts/image.ts`) +
    Object.values(agentFlags).map(({ name }) => `name: "${name}"`).join();
  const names = [manifest, cleanup].map((of) => {
    const { name, namespace } = one("DaemonSet", of).metadata;
    return { name, namespace };
  });
  for (const line of whole) {
    for (const [, path] of line.matchAll(/-f (\S+\.yaml)/g)) {
      assert((await Deno.stat(`${projectRoot}/${path}`)).isFile, line);
    }
    for (const [, namespace] of line.matchAll(/ -n (\S+)/g)) {
      if (namespace === "k8s.io") continue; // containerd's
      assert(names.some((one) => one.namespace === namespace), line);
    }
    for (const [, name] of line.matchAll(/daemonset\/(\S+)/g)) {
      assert(names.some((one) => one.name === name), line);
    }
    for (const [, name] of line.matchAll(/ARGS="?--([a-z-]+)/g)) {
      assertStringIncludes(flags, `name: "${name}"`, line);
    }
  }
});
