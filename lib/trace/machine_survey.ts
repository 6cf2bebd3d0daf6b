/** What a machine has before a trace: one question, and the reading of its answer. */
import type { Family } from "../net/cidr.ts";
import { cmd, type Command, type Outcome } from "../exec/command.ts";
import type { LinkFacts, RouteFacts } from "../diagnosis/evidence.ts";
import { readCache } from "../verify/kubernetes_pods.ts";
import { folder, nodePort } from "../verify/namespace_pods.ts";
import {
  type AddResult,
  ifname,
  parseAddResult,
  RuntimeError,
} from "../cni/runtime.ts";

import {
  counterFiles,
  type Counters,
  readCounters,
} from "./kernel_counters.ts";

/** A link as `ip -j addr show` has it, with what a trace needs beside a diagnosis. */
export interface SurveyedLink extends LinkFacts {
  readonly ifindex: number;
  readonly mtu: number;
  /** Its link-layer address. */
  readonly address: string;
  /** The other end of a veth: its number there. */
  readonly link_index?: number;
  /** The network namespace that the other end is in. */
  readonly link_netnsid?: number;
}

/** A pod that a trace begins or ends at. */
export interface Pod {
  readonly name: string;
  /** The path of its network namespace. */
  readonly sandbox: string;
  readonly links: readonly SurveyedLink[];
  readonly routes: readonly RouteFacts[];
  /** Whether it has a web server on port 80. */
  readonly serving: boolean;
  /** What ADD gave it, where stage 09 started it. */
  readonly result?: AddResult;
}

/** A machine as a trace finds it. */
export interface SurveyedMachine {
  readonly name: string;
  readonly links: readonly SurveyedLink[];
  /** Its address on the segment that joins the machines, and the link that has it. */
  readonly segmentAddress?: string;
  readonly segmentLink?: SurveyedLink;
  readonly routes: readonly RouteFacts[];
  /** Those of its pods that were asked for. */
  readonly pods: readonly Pod[];
  /** The names of its pods: of Kubernetes, and of network namespaces. */
  readonly names: readonly string[];
  /** The names of network namespaces by the number that links have them by. */
  readonly namespaceNames: ReadonlyMap<number, string>;
  /** Whether stage 09's server answers here. */
  readonly serving: boolean;
  /** What its kernel has counted before the packets are sent. */
  readonly counters: Counters;
  /** Those of the programs that a trace needs which are there. */
  readonly programs: readonly string[];
}

/** Which pods to look into: by name, or by an address that one of them has. */
interface PodSelector {
  readonly family: Family;
  readonly pods: readonly string[];
  readonly address?: string;
}

/** What a trace needs on each machine, by Debian's package. */
export const programs = {
  nft: "nftables",
  busybox: "busybox-static",
  ping: "iputils-ping",
} as const;

/** Where the namespaces with names are. */
const namespaces = "/run/netns";

const script = `
part() { printf '\\n%s %s\\n' "$boundary" "$1"; }
boundary=$1 family=$2 pods=$3 address=$4 port=$5 folder=$6 machine=$7
cache=/var/lib/cni/results/*-${ifname}
part programs; for program in ${
  Object.keys(programs).join(" ")
}; do command -v "$program"; done
part links; ip -j addr show
part routes; ip -j "-$family" route show
part counters; cat ${counterFiles.join(" ")} 2>/dev/null
part ids; ip netns list-id
part serving; ss -Hltn "sport = :$port"
part names; ls ${namespaces} 2>/dev/null; grep -hos '"K8S_POD_NAME","[^"]*"' $cache | cut -d'"' -f4
# A runtime of Kubernetes names namespaces as it likes; libcni's cache knows whose they are.
sandbox_of() { # POD
  if [ -e "${namespaces}/$1" ]; then echo "${namespaces}/$1"; return; fi
  grep -hsF -e "\\"K8S_POD_NAME\\",\\"$1\\"" -e "\\"K8S_POD_NAME\\",\\"$1-$machine\\"" $cache |
    grep -o '"sandbox":"[^"]*"' | cut -d'"' -f4 | while IFS= read -r at; do
    if [ -e "$at" ]; then echo "$at"; fi
  done | tail -n 1
}
tell() { # POD SANDBOX
  part "pod $1"
  part sandbox; echo "$2"
  part links; nsenter --net="$2" ip -j addr show
  part routes; nsenter --net="$2" ip -j "-$family" route show
  part serving; nsenter --net="$2" ss -Hltn 'sport = :80'
  part cached; grep -hsF -e "\\"sandbox\\":\\"$2\\"" $cache
  [ ! -e "$folder/$1.json" ] || { part result; cat "$folder/$1.json"; }
}
for name in $pods; do
  at=$(sandbox_of "$name")
  if [ -n "$at" ]; then tell "$name" "$at"; fi
done
[ -z "$address" ] || for at in ${namespaces}/*; do
  name=\${at##*/}
  case " $pods " in *" $name "*) continue ;; esac
  [ -e "$at" ] || continue
  nsenter --net="$at" ip -o addr show to "$address" 2>/dev/null | grep -q . || continue
  tell "$name" "$at"
done
part end
`;

/**
 * The question that readMachine() reads the answer to. It changes nothing.
 *
 * @param machine its name
 * @param boundary a text that no file of the machine holds
 */
export function machineSurveyCommand(
  machine: string,
  wanted: PodSelector,
  boundary: string,
): Command {
  const { family, pods, address = "" } = wanted;
  return cmd`sh -c ${script} survey ${boundary} ${family} ${
    pods.join(" ")
  } ${address} ${nodePort} ${folder} ${machine}`;
}

/**
 * Reads what surveyCommand() printed.
 *
 * @param segmentAddress the machine's address on the segment that joins the machines
 * @returns undefined when it did not come to its end
 */
export function readMachine(
  name: string,
  segmentAddress: string | undefined,
  { stdout }: Outcome,
  boundary: string,
): SurveyedMachine | undefined {
  const parts = stdout.split(`\n${boundary} `).slice(1).map((part) => {
    const end = part.indexOf("\n");
    return end < 0
      ? { name: part.trim(), text: "" }
      : { name: part.slice(0, end), text: part.slice(end + 1) };
  });
  if (parts.at(-1)?.name !== "end") return undefined;
  const begins = parts.flatMap(({ name }, at) =>
    name.startsWith("pod ") ? [at] : []
  );
  const own = section(parts.slice(0, begins[0] ?? parts.length));
  const links = list<SurveyedLink>(own("links"));
  const segmentLink = links.find(({ addr_info }) =>
    addr_info.some(({ local }) => local === segmentAddress)
  );
  return {
    name,
    links,
    ...(segmentAddress === undefined ? {} : { segmentAddress }),
    ...(segmentLink === undefined ? {} : { segmentLink }),
    routes: list<RouteFacts>(own("routes")),
    pods: begins.map((begin, at) => {
      const whole = parts.slice(begin, begins[at + 1] ?? parts.length);
      return readPod(parts[begin]?.name.slice("pod ".length) ?? "", whole);
    }),
    names: [...new Set(own("names").split("\n").filter(Boolean))],
    namespaceNames: new Map(
      [...own("ids").matchAll(/^nsid (\d+) .*netns name: (.*)\)$/gm)]
        .map(([, id, name = ""]) => [Number(id), name]),
    ),
    serving: own("serving").trim() !== "",
    counters: readCounters(own("counters")),
    programs: own("programs").split("\n").filter(Boolean)
      .map((path) => path.slice(path.lastIndexOf("/") + 1)),
  };
}

type Part = { readonly name: string; readonly text: string };

function section(parts: readonly Part[]): (name: string) => string {
  return (wanted) => parts.find(({ name }) => name === wanted)?.text ?? "";
}

function readPod(name: string, parts: readonly Part[]): Pod {
  const own = section(parts);
  const sandbox = own("sandbox").trim();
  const result = readResult(own("result"), name) ??
    [...readCache(own("cached")).values()]
      .find((cached) => cached.sandbox === sandbox)?.result;
  return {
    name,
    sandbox,
    links: list<SurveyedLink>(own("links")),
    routes: list<RouteFacts>(own("routes")),
    serving: own("serving").trim() !== "",
    ...(result === undefined ? {} : { result }),
  };
}

function readResult(text: string, pod: string): AddResult | undefined {
  if (text.trim() === "") return undefined;
  try {
    return parseAddResult(text, `${folder}/${pod}.json`);
  } catch (error) {
    if (error instanceof RuntimeError) return undefined;
    throw error;
  }
}

function list<Element>(text: string): readonly Element[] {
  try {
    const value: unknown = JSON.parse(text || "[]");
    return Array.isArray(value)
      ? value.filter((element) => Object.keys(element).length > 0)
      : [];
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
