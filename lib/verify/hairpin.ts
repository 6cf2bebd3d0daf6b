/**
 * Whether a pod reaches itself by a service. What it sends to the service's
 * address is turned back to its own, and has to leave by the port of the bridge
 * that it came in by, which a bridge does only for a port in hairpin mode
 * (bridge(8)). In Kubernetes the service is a real one; on a lab's node stage 09
 * does for a moment what kube-proxy does, by two rules with our mark.
 */
import { turnsOf } from "../cluster/at_once.ts";
import type { Firewall } from "../cluster/schema_firewall.ts";
import { iptablesFor } from "../net/iptables.ts";
import { mark } from "../net/mark.ts";
import { cmd, type Command, type RunOptions } from "../exec/command.ts";
import type { Cause } from "../diagnosis/cause.ts";
import { newPods } from "../diagnosis/remedy.ts";
import { kubectl, namespace } from "../kubernetes/kubectl.ts";
import type { Runner } from "../node/node.ts";
import { httpCalls, readCalls, url } from "./http_calls.ts";
import { execOn, serviceName } from "./kubernetes_pods.ts";
import type { Kubernetes } from "./kubernetes_state.ts";
import { paths, type PodName, podNames, server } from "./namespace_pods.ts";
import { type Site, type Situation, workerSites } from "./situation.ts";

/** What came of a pod's call to itself. */
export interface HairpinTried {
  readonly node: string;
  readonly answered: boolean;
  /** Why not, where the node's configuration wants it. */
  readonly cause?: Cause;
}

/**
 * A service's address on a lab's nodes, by family: of a network for tests, which
 * nothing there has (RFC 2544, RFC 5180).
 */
const serviceAddresses = ["198.18.0.1", "2001:2::1"];

const viaRulesScript = `
iptables=$1 service=$2 pod=$3 mark=$4 limit=$5 url=$6; shift 6
each() {
  if [ "$iptables" = nft ]; then
    ip=ip; case $pod in *:*) ip=ip6 ;; esac
    [ "$1" = -I ] || { nft delete table $ip deno_cni_hairpin; return; }
    nft -f - <<END
table $ip deno_cni_hairpin {
  chain prerouting {
    type nat hook prerouting priority dstnat
    $ip daddr $service tcp dport 80 dnat to $pod comment "$mark"
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    $ip saddr $pod $ip daddr $pod masquerade comment "$mark"
  }
}
END
    return
  fi
  "$iptables" -w -t nat "$1" PREROUTING -d "$service" -p tcp --dport 80 \\
    -m comment --comment "$mark" -j DNAT --to-destination "$pod"
  "$iptables" -w -t nat "$1" POSTROUTING -s "$pod" -d "$pod" \\
    -m comment --comment "$mark" -j MASQUERADE
}
trap 'each -D' EXIT
trap 'exit 1' HUP INT TERM
each -I
for sandbox; do
  if timeout "$limit" nsenter --net="$sandbox" busybox wget -qO- "$url" >/dev/null 2>&1
  then echo "\${sandbox##*/}"; fi
done`;

/** The pods of a lab's node that got an answer by the service of one of them. */
async function callViaRules(
  node: Runner,
  service: string,
  address: string,
  limit_ms: number,
  options: RunOptions,
  firewall: Firewall = "iptables",
): Promise<readonly PodName[]> {
  const iptables = firewall === "nftables" ? "nft" : iptablesFor(address);
  const { stdout } = await node.run(
    cmd`sh -c ${viaRulesScript.trim()} hairpin ${[
      ...[iptables, service, address, `${mark} 09-verify`],
      ...[limit_ms / 1000, url(service, 80)],
      ...podNames.map((pod) => paths.sandbox(pod)),
    ]}`,
    options,
  );
  const printed = stdout.split("\n");
  return podNames.filter((pod) => printed.includes(pod));
}

/** Prints the test pods' services, a line each: the name, which is the pod's, and the address. */
function servicesQuestion(): Command {
  const form =
    '{range .items[*]}{.metadata.name} {.spec.clusterIP}{"\\n"}{end}';
  return kubectl("-n", namespace, "get", "service", "-o", `jsonpath=${form}`);
}

/**
 * Has each worker's pod that answers call itself by a service. A worker is left
 * out where no other pod gets an answer by that service either: then nothing
 * can be said of the pod itself.
 *
 * @param servers the address of each worker's pod that answers
 * @throws {UnreachableError}
 */
export async function tryHairpins(
  situation: Situation,
  selected: readonly string[],
  servers: ReadonlyMap<string, string>,
  { limit_ms, ...options }: RunOptions & { readonly limit_ms: number },
): Promise<readonly HairpinTried[]> {
  const { cluster, kubernetes, progress } = situation;
  const services = kubernetes === undefined
    ? new Map<string, string>()
    : await servicesOf(kubernetes, options);
  const turn = turnsOf(cluster);
  const tried = await Promise.all(
    workerSites(situation).map((site) =>
      turn(async (): Promise<HairpinTried[]> => {
        const { node: { name }, runner } = site;
        const address = servers.get(name);
        const forwards = progress.complete.get(name)?.includes("06-forwarding");
        const v6 = address?.includes(":");
        const service = kubernetes === undefined
          ? serviceAddresses[v6 ? 1 : 0]
          : services.get(serviceName(name));
        if (address === undefined || service === undefined) return [];
        if (!forwards || !selected.includes(name)) return [];
        if (kubernetes === undefined && cluster.provider !== "lab") return [];
        const call = (limit_ms: number) =>
          kubernetes === undefined
            ? callViaRules(
              runner,
              service,
              address,
              limit_ms,
              options,
              cluster.firewall,
            )
            : callViaService(kubernetes, name, service, limit_ms, options);
        let answered = await call(limit_ms);
        // As with any path, a "no" is believed only once it had more time.
        if (!answered.includes(server) && isWanted(site)) {
          answered = await call(limit_ms * 3);
        }
        if (answered.includes(server)) return [{ node: name, answered: true }];
        if (answered.length === 0) return [];
        const cause = causeOf(site, service, cluster.bridge);
        return [{ node: name, answered: false, ...cause }];
      })
    ),
  );
  return tried.flat();
}

async function servicesOf(
  { controlPlane }: Kubernetes,
  options: RunOptions,
): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await controlPlane.run(servicesQuestion(), options);
  return new Map(
    stdout.split("\n").flatMap((line): [string, string][] => {
      const [name, address] = line.split(" ");
      return name && /^[0-9a-f.:]+$/.test(address ?? "")
        ? [[name, address ?? ""]]
        : [];
    }),
  );
}

/** The pods of a node that got an answer by a service of Kubernetes. */
async function callViaService(
  { controlPlane }: Kubernetes,
  node: string,
  service: string,
  limit_ms: number,
  options: RunOptions,
): Promise<readonly PodName[]> {
  const target = url(service, 80);
  const answers = await Promise.all(podNames.map(async (pod) => {
    const inside: Runner = execOn(controlPlane, pod, node);
    const outcome = await inside.run(httpCalls([target], limit_ms), options);
    const observed = readCalls(outcome, [target]).get(target);
    return observed?.answer === "yes" ? [pod] : [];
  }));
  return answers.flat();
}

/** Whether the configuration by which the node's pods start asks for hairpin mode. */
function isWanted({ survey: { list } }: Site): boolean {
  return /"hairpinMode"\s*:\s*true/.test(list?.text ?? "");
}

/** A fault, where the configuration that the pods are made with asks for hairpin mode. */
function causeOf(
  site: Site,
  service: string,
  bridge: string,
): Pick<HairpinTried, "cause"> {
  const { node: { name } } = site;
  if (!isWanted(site)) return {};
  return {
    cause: {
      kind: "pod-link",
      on: name,
      what:
        `pod ${server} on ${name} does not reach itself by a service: its ` +
        `port of ${bridge} is not in hairpin mode`,
      evidence: [{
        where: `${server} on ${name}`,
        command: `wget -qO- ${url(service, 80)}`,
        printed: "no answer",
      }],
      remedies: newPods(name),
    },
  };
}
