/**
 * Kubernetes as stage 09 asks it: by kubectl on the control plane, which has
 * its configuration there and reaches the API server whatever else is broken.
 * Pure: commands, and the reading of what they print.
 */
import { askPath } from "../exec/shell_file.ts";
import { cmd, type Command, type Outcome, succeeded } from "../exec/command.ts";
import { adminConf } from "./kubeconfig.ts";
import { mark } from "../net/mark.ts";

/** Where stage 09's pods are. */
export const namespace = "deno-cni-verify";

/** A command of kubectl's, for the control plane. */
export function kubectl(...args: readonly string[]): Command {
  return cmd`kubectl --kubeconfig ${adminConf} ${args}`;
}

/** A node as Kubernetes knows it. */
export interface KubernetesNode {
  readonly name: string;
  /** The status of its condition Ready: Unknown where its kubelet does not report. */
  readonly ready: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  /** Those that the other nodes reach it by, one a family. */
  readonly addresses: readonly string[];
  /** None before kube-controller-manager gave it any. */
  readonly podCIDRs: readonly string[];
}

/** A pod as Kubernetes knows it. */
export interface KubernetesPod {
  readonly name: string;
  readonly node: string;
  readonly phase: string;
  /** Whether its container runs. */
  readonly running: boolean;
  /** Whether it was deleted, and is not gone yet. */
  readonly leaving: boolean;
  /** One a family; none before its network is there. */
  readonly addresses: readonly string[];
  readonly image: string;
  /**
   * What keeps its container from running, in the kubelet's word (ImagePullBackOff), and
   * what it says of it.
   */
  readonly waiting?: { readonly reason: string; readonly message: string };
  /** What went wrong with it so far, the newest last. */
  readonly warnings: readonly Warning[];
}

/** Something that went wrong with a pod. */
interface Warning {
  readonly reason: string;
  readonly message: string;
}

/** What Kubernetes has, as far as stage 09 cares. */
export interface KubernetesState {
  readonly nodes: ReadonlyMap<string, KubernetesNode>;
  /** The pods of stage 09's namespace, by name. */
  readonly pods: ReadonlyMap<string, KubernetesPod>;
  /** What is there by the name of stage 09's namespace. */
  readonly namespace: "none" | "ours" | "foreign" | "leaving";
}

/** What kubectl printed is not what was asked for. */
export class KubectlError extends Error {
  override readonly name = "KubectlError";
}

/**
 * Asks for all that readKubernetes() reads;
 * exit code 44 where kubeadm has made no control plane.
 */
export function question(): Command {
  return askPath(
    adminConf,
    'exec kubectl --kubeconfig "$1" -n "$2" get nodes,namespaces,pods,events -o json',
    namespace,
  );
}

/** What Go's network library and kubectl say of a server that does not answer. */
const silence =
  /was refused|no route to host|timeout|timed out|deadline exceeded|connection reset|\bEOF\b/i;

/** Whether kubectl got no answer from the API server, whatever it was asked. */
export function saysSilent({ code, stderr, ended }: Outcome): boolean {
  return ended !== undefined || (code !== 0 && silence.test(stderr));
}

interface Item {
  readonly kind?: string;
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTimestamp?: string | null;
  readonly eventTime?: string | null;
  readonly involvedObject?: { readonly uid?: string };
  readonly metadata?: {
    readonly name?: string;
    readonly uid?: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: {
    readonly nodeName?: string;
    readonly podCIDR?: string;
    readonly podCIDRs?: readonly string[];
    readonly containers?: readonly { readonly image?: string }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly addresses?: readonly {
      readonly type?: string;
      readonly address?: string;
    }[];
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip?: string }[];
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly {
      readonly state?: {
        readonly running?: unknown;
        readonly waiting?: { reason?: string; message?: string };
        readonly terminated?: { reason?: string; message?: string };
      };
    }[];
  };
}

interface Condition {
  readonly type?: string;
  readonly status?: string;
  readonly reason?: string;
  readonly message?: string;
}

/**
 * Reads what question() printed: a List
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#collections).
 *
 * @throws {KubectlError} where it is none
 */
export function readKubernetes(text: string): KubernetesState {
  const items = itemsOf(text);
  const own = items.find(({ kind, metadata }) =>
    kind === "Namespace" && metadata?.name === namespace
  );
  const events = items.filter(({ kind, type }) =>
    kind === "Event" && type === "Warning"
  ).toSorted((a, b) => timeOf(a) < timeOf(b) ? -1 : 1);
  return {
    nodes: byName(items.filter(({ kind }) => kind === "Node").map(readNode)),
    pods: byName(
      items.filter(({ kind }) => kind === "Pod")
        .map((item) => readPod(item, events)),
    ),
    namespace: own === undefined
      ? "none"
      : own.metadata?.labels?.["app.kubernetes.io/managed-by"] !== mark
      ? "foreign"
      : own.metadata.deletionTimestamp === undefined
      ? "ours"
      : "leaving",
  };
}

function itemsOf(text: string): readonly Item[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (
    typeof value !== "object" || value === null || !("items" in value) ||
    !Array.isArray(value.items)
  ) {
    throw new KubectlError(
      `kubectl printed no list of objects: ${text.slice(0, 200)}`,
    );
  }
  return value.items;
}

function byName<Thing extends { readonly name: string }>(
  things: readonly Thing[],
): ReadonlyMap<string, Thing> {
  return new Map(things.map((thing) => [thing.name, thing]));
}

/** RFC 3339 in UTC: the order of texts is that of time. */
function timeOf({ lastTimestamp, eventTime }: Item): string {
  return lastTimestamp ?? eventTime ?? "";
}

function readNode({ metadata, spec, status }: Item): KubernetesNode {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  return {
    name: metadata?.name ?? "",
    ready: ready?.status === "True" || ready?.status === "False"
      ? ready.status
      : "Unknown",
    reason: ready?.reason ?? "",
    message: ready?.message ?? "",
    addresses: (status?.addresses ?? []).flatMap(({ type, address }) =>
      type === "InternalIP" && address !== undefined ? [address] : []
    ),
    podCIDRs: spec?.podCIDRs ??
      (spec?.podCIDR === undefined ? [] : [spec.podCIDR]),
  };
}

function readPod(
  { metadata, spec, status }: Item,
  events: readonly Item[],
): KubernetesPod {
  const state = status?.containerStatuses?.[0]?.state;
  const waiting = state?.waiting ?? state?.terminated ?? refusal(status);
  const addresses = status?.podIPs?.flatMap(({ ip }) => ip ?? []) ??
    (status?.podIP === undefined ? [] : [status.podIP]);
  return {
    name: metadata?.name ?? "",
    node: spec?.nodeName ?? "",
    phase: status?.phase ?? "Unknown",
    running: state?.running !== undefined,
    leaving: metadata?.deletionTimestamp !== undefined,
    addresses,
    image: spec?.containers?.[0]?.image ?? "",
    ...(waiting === undefined ? {} : {
      waiting: {
        reason: waiting.reason ?? "",
        message: waiting.message?.trim() ?? "",
      },
    }),
    warnings: events.filter(({ involvedObject }) =>
      involvedObject?.uid === metadata?.uid
    ).map(({ reason = "", message = "" }) => ({ reason, message })),
  };
}

/** What a pod without containers says: of a kubelet that refused it, or of a scheduler. */
function refusal(
  status: Item["status"],
): { readonly reason?: string; readonly message?: string } | undefined {
  if (status?.phase === "Failed") return status;
  return status?.conditions?.find(({ type, status }) =>
    type === "PodScheduled" && status === "False"
  );
}

/** Asks for what readDns() reads. */
export function dnsQuestion(): Command {
  // The service has this name also where CoreDNS is behind it.
  return kubectl(
    ...["-n", "kube-system", "get", "endpoints", "kube-dns"],
    ...["--ignore-not-found", "-o", "json"],
  );
}

/** The cluster's DNS: no such service, a service without a ready pod, or one that answers. */
export type DnsState = "none" | "not ready" | "ready";

/** Reads what dnsQuestion() printed; a service that could not be asked for is none. */
export function readDns(outcome: Outcome): DnsState {
  if (!succeeded(outcome) || outcome.stdout.trim() === "") return "none";
  try {
    const { subsets = [] } = JSON.parse(outcome.stdout) as {
      subsets?: readonly { readonly addresses?: readonly unknown[] }[];
    };
    return subsets.some(({ addresses = [] }) => addresses.length > 0)
      ? "ready"
      : "not ready";
  } catch (error) {
    if (error instanceof SyntaxError) return "none";
    throw error;
  }
}

/** How far a pod has got, as `kubectl get pods` says it. */
export function podWords(pod: KubernetesPod | undefined): string {
  if (pod === undefined) return "not there";
  if (pod.leaving) return "Terminating";
  return pod.waiting?.reason || pod.phase;
}

/** Whether the pod runs, and has an address. */
export function isUp(pod: KubernetesPod | undefined): pod is KubernetesPod {
  return pod !== undefined && pod.running && !pod.leaving &&
    pod.addresses.length > 0;
}
