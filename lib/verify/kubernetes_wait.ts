/** Waiting until stage 09's pods run and their nodes are Ready: as long as there is hope. */
import {
  isUp,
  type KubernetesPod,
  type KubernetesState,
  podWords,
} from "../kubernetes/kubectl.ts";

/** Milliseconds to wait, where nothing says that waiting is in vain. */
const wait_ms = 120_000;

/** What a container that cannot run is said to wait for; some of it may pass by itself. */
const hopeless_ms: Readonly<Record<string, number>> = {
  InvalidImageName: 0,
  ErrImageNeverPull: 0,
  CreateContainerConfigError: 5_000,
  ErrImagePull: 20_000,
  ImagePullBackOff: 20_000,
  CreateContainerError: 20_000,
  RunContainerError: 20_000,
  CrashLoopBackOff: 20_000,
};

/** Milliseconds until a sandbox without network is believed: the kubelet tries again each few seconds. */
const sandbox_ms = 30_000;

/** What is waited for. */
interface WaitCondition {
  /** The pods' names. */
  readonly pods: readonly string[];
  /** The nodes that should become Ready. */
  readonly nodes: readonly string[];
}

/** How it is waited. */
interface Waiting {
  readonly ask: () => Promise<KubernetesState>;
  /** Told of each change, a line. */
  readonly progress: (line: string) => void;
  readonly stopping: () => boolean;
  readonly now?: () => number;
  readonly pause?: (ms: number) => Promise<void>;
}

/**
 * Asks again and again until all is there, or what is missing will not come.
 *
 * @returns what was seen last
 */
export async function awaitAll(
  wanted: WaitCondition,
  first: KubernetesState | undefined,
  { ask, progress, stopping, now = Date.now, pause = sleep }: Waiting,
): Promise<KubernetesState> {
  const began_ms = now();
  const since_ms = new Map<string, number>();
  let told = "";
  let seen = first ?? await ask();
  while (true) {
    const missing = missingOf(wanted, seen);
    if (missing.length === 0 || stopping()) return seen;
    const line = missingWords(missing);
    if (line !== told) progress(`09-verify: waiting for ${line}`);
    told = line;
    const hopeful = missing.filter(({ name, timeout_ms }) => {
      // Whoever came out of the worst has its time again when it comes back.
      const key = `${name} ${timeout_ms}`;
      for (const other of [...since_ms.keys()]) {
        if (other.startsWith(`${name} `) && other !== key) {
          since_ms.delete(other);
        }
      }
      const since = since_ms.get(key) ?? now();
      since_ms.set(key, since);
      return now() - since < timeout_ms;
    });
    const passed_ms = now() - began_ms;
    if (hopeful.length === 0 || passed_ms >= wait_ms) return seen;
    await pause(passed_ms < 5_000 ? 300 : 1_000);
    seen = await ask();
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

interface Missing {
  /** What it is. */
  readonly name: string;
  /** What keeps it, in a word. */
  readonly state: string;
  readonly timeout_ms: number;
}

function missingOf(
  { pods, nodes }: WaitCondition,
  seen: KubernetesState,
): readonly Missing[] {
  return [
    ...nodes.flatMap((name): Missing[] => {
      const node = seen.nodes.get(name);
      if (node?.ready === "True") return [];
      const state = node === undefined ? "not there" : "NotReady";
      // Unknown: its kubelet was not heard of for 40 s already.
      const timeout_ms = node?.ready === "False" ? 60_000 : 5_000;
      return [{ name: `node ${name}`, state, timeout_ms }];
    }),
    ...pods.flatMap((name): Missing[] => {
      const pod = seen.pods.get(name);
      if (isUp(pod)) return [];
      return [{
        name: `pod ${name}`,
        // Both words come in turn for as long as the kubelet tries.
        state: podWords(pod).replace(/^ErrImagePull$/, "ImagePullBackOff"),
        timeout_ms: patienceWith(pod),
      }];
    }),
  ];
}

/** What is missing, by what keeps it; counted where a line would not hold it. */
function missingWords(missing: readonly Missing[]): string {
  const states = [...new Set(missing.map(({ state }) => state))];
  return states.map((state) => {
    const names = missing.filter((one) => one.state === state)
      .map(({ name }) => name);
    const which = names.length <= 4
      ? names.join(", ")
      : `${names.length} of them`;
    return `${which} (${state})`;
  }).join("; ");
}

function patienceWith(pod: KubernetesPod | undefined): number {
  if (pod === undefined) return 5_000;
  const timeout_ms = hopeless_ms[pod.waiting?.reason ?? ""];
  if (timeout_ms !== undefined) return timeout_ms;
  if (pod.phase === "Failed") return 0;
  const [last] = pod.warnings.slice(-1);
  return last?.reason === "FailedCreatePodSandBox" ? sandbox_ms : wait_ms;
}
