/**
 * The key of a cluster file that says which Kubernetes stage 02 makes.
 * config/ssh.yaml tells the user.
 */
import {
  mapping,
  oneOf,
  textValue,
  type Validator,
  withDefault,
} from "./validate.ts";
import type { Draft } from "./validate.ts";
import type { Reading } from "./yaml.ts";

/** Which Kubernetes stage 02 makes of the machines. */
export interface KubernetesSettings {
  /** The minor version of the packages, as 1.31, where the machines have none. */
  readonly version: string;
  /** Whether the control plane takes pods like any worker. */
  readonly podsOnControlPlane: "yes" | "no";
  /** The image of stage 09's pods: one that has busybox with its httpd. */
  readonly testImage: string;
}

/** What a cluster file means that does not say. */
export const usualKubernetes: KubernetesSettings = {
  version: "1.31",
  podsOnControlPlane: "no",
  testImage: "docker.io/library/busybox:1.36",
};

/**
 * The community's repository begins with 1.24:
 * https://kubernetes.io/blog/2023/08/15/pkgs-k8s-io-introduction/
 */
const version = textValue(
  'a minor version in quotes, e.g. "1.31"',
  (value) =>
    /^1\.(2[4-9]|[3-9]\d)$/.test(value)
      ? undefined
      : 'is not a minor version with packages; expected "1.24" or newer, e.g. "1.31"',
);

/** https://pkg.go.dev/github.com/distribution/reference: a name, then a tag, a digest or both. */
const image = textValue(
  "an image, e.g. docker.io/library/busybox:1.36",
  (value) =>
    /^[a-z0-9][\w.-]*(:\d+)?(\/[a-z0-9][\w.-]*)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/
        .test(value)
      ? undefined
      : "is no image's name; expected e.g. docker.io/library/busybox:1.36",
);

/** The key `kubernetes`. */
export const kubernetesSettings: Validator<KubernetesSettings> = mapping<
  KubernetesSettings
>({
  version: withDefault(version, usualKubernetes.version),
  podsOnControlPlane: withDefault(
    oneOf<"yes" | "no">("yes", "no"),
    usualKubernetes.podsOnControlPlane,
  ),
  testImage: withDefault(image, usualKubernetes.testImage),
});

/** Notes Kubernetes settings of a cluster that has none, and what kubeadm would not take. */
export function checkKubernetes(
  { provider, kubernetes, nodeMask }: Draft<{
    provider: string;
    kubernetes?: KubernetesSettings;
    nodeMask?: number[];
  }>,
  reading: Reading,
): void {
  if (provider === undefined) return;
  if (provider === "lab" || provider === "local") {
    if (kubernetes === undefined) return;
    reading.wrong(
      ["kubernetes"],
      `provider: ${provider} has no Kubernetes; expected ssh, aws or gcp`,
    );
    return;
  }
  const usual = [24, 64];
  for (const [at, mask] of (nodeMask ?? []).entries()) {
    if (mask === undefined || usual.includes(mask)) continue;
    reading.wrong(
      ["nodeMask", at],
      `${mask} is not what kube-controller-manager gives; expected 24 for IPv4, 64 for IPv6`,
    );
  }
}
