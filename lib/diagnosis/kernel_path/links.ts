/** What ends packets at a link: XDP, tc, queueing disciplines, ARP. Pure. */
import { cmd } from "../../exec/command.ts";
import {
  mendIn,
  type Obstacle,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import { blockOf, literally, wantedLines } from "./printed.ts";
import { type KernelSurvey, listsIn } from "./survey.ts";

/** The words of ip-link(8) for the modes of XDP. */
const modes = ["xdp", "xdpdrv", "xdpgeneric", "xdpoffload"] as const;

/** What `ip link` prints of a link, as far as it has these words. */
function linkLines(
  { parts }: KernelSurvey,
  link: string,
  words: RegExp,
): string {
  const lines = blockOf(
    parts.get("links.text"),
    new RegExp(`^\\d+: ${literally(link)}[@:]`),
  );
  return wantedLines(lines, (line) => line === lines[0] || words.test(line)) ||
    link;
}

/** A program that the kernel asks before it makes a packet of a frame (ip-link(8), xdp). */
export function xdpObstacles(
  survey: KernelSurvey,
  { links: used }: Traffic,
): readonly Obstacle[] {
  const { space, links } = survey;
  return links.filter(({ ifname, xdp }) =>
    xdp !== undefined && used.has(ifname)
  )
    .map(({ ifname, xdp }): Obstacle => {
      const name = xdp?.prog?.name;
      // "xdp off" leaves a program of another mode than the driver's in place.
      const word = modes[xdp?.mode ?? 0] ?? "xdp";
      return {
        kind: "xdp",
        is: "may lose",
        space,
        what: `an XDP program${name === undefined ? "" : ` (${name})`} is on ` +
          `${ifname} of ${spaceName(space)}: it decides on what comes in ` +
          "before any other part of the kernel sees it",
        evidence: [
          shownIn(
            space,
            cmd`ip -d link show dev ${ifname}`,
            linkLines(survey, ifname, /prog\/xdp/),
          ),
        ],
        remedies: [mendIn(space, cmd`ip link set dev ${ifname} ${word} off`)],
      };
    });
}

/** What actions of tc do with packets, in words (tc-actions(8)); the others let them go on. */
const actions: readonly (readonly [RegExp, string])[] = [
  [/\baction drop\b|\bgact action shot\b/, "a filter that drops"],
  [/^\s*police /m, "a filter that drops what is more than a rate"],
  [
    /\bmirred \(Egress Redirect|\bmirred \(Ingress Redirect/,
    "a filter that sends elsewhere",
  ],
  [
    /\b(action order \d+: +)?(nat|pedit|ct|vlan|mpls|tunnel_key) /,
    "a filter that changes",
  ],
];

/** Filters of tc, whose programs and actions end packets (tc(8)). */
export function tcObstacles(
  { space, parts }: KernelSurvey,
  { links: used }: Traffic,
): readonly Obstacle[] {
  return [...parts].flatMap(([part, text]): readonly Obstacle[] => {
    const [, way = "", link = ""] = /^filter (ingress|egress) (.*)$/
      .exec(part) ?? [];
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    const [acting] = actions.filter(([words]) => words.test(text));
    const program = lines.find((line) => / bpf .*handle /.test(line));
    if (!used.has(link) || (acting ?? program) === undefined) return [];
    const name = / name (\S+) /.exec(program ?? "")?.[1];
    const [words, what] = acting ?? [];
    return [{
      kind: "tc",
      is: "may lose",
      space,
      what: `tc has ${
        what ?? `a program${name === undefined ? "" : ` (${name})`}`
      } ${what === undefined ? "on " : ""}what ${
        way === "ingress" ? "comes in by" : "leaves by"
      } ${link} of ${spaceName(space)}`,
      evidence: [shownIn(
        space,
        cmd`tc filter show dev ${link} ${way}`,
        words === undefined
          ? program ?? ""
          : wantedLines(lines, (line) =>
            line.startsWith("filter ") || words.test(line)),
      )],
      remedies: [mendIn(space, cmd`tc filter del dev ${link} ${way}`)],
    }];
  });
}

/** Programs of BPF that hang at a link beside tc's filters (bpftool-net(8), tcx). */
export function tcxObstacles(
  { space, parts }: KernelSurvey,
  { links: used }: Traffic,
): readonly Obstacle[] {
  const attached = /^(\S+)\(\d+\) tcx\/(ingress|egress) (\S+).*$/gm;
  return [...(parts.get("programs") ?? "").matchAll(attached)]
    .filter(([, link = ""]) => used.has(link))
    .map(([line, link = "", way = "", name = ""]): Obstacle => ({
      kind: "tc",
      is: "may lose",
      space,
      what: `a program of tcx (${name}) is on what ` +
        `${way === "ingress" ? "comes in by" : "leaves by"} ${link} of ` +
        spaceName(space),
      evidence: [shownIn(space, cmd`bpftool net show`, line)],
      remedies: [
        mendIn(space, cmd`bpftool net detach ${`tcx_${way}`} dev ${link}`),
      ],
    }));
}

/** A queueing discipline as `tc -s -j qdisc show` has it. */
interface Qdisc {
  readonly kind: string;
  readonly dev: string;
  readonly root?: boolean;
  readonly drops?: number;
  readonly options?: {
    readonly "loss-random"?: { readonly loss?: number };
  };
}

/** What tc prints of a queueing discipline, to what it has dropped. */
function qdiscLines(
  { parts }: KernelSurvey,
  { kind, dev }: Qdisc,
): string | undefined {
  const lines = blockOf(
    parts.get("qdiscs.text"),
    new RegExp(`^qdisc ${literally(kind)} .* dev ${literally(dev)} `),
  );
  const text = wantedLines(
    lines,
    (line) => line === lines[0] || /dropped/.test(line),
  );
  return text === "" ? undefined : text;
}

/** Those that drop only what is more than the link can carry. */
const plain = new Set([
  ...["noqueue", "mq", "pfifo_fast", "fq", "fq_codel", "clsact", "ingress"],
]);

/** Queueing disciplines that lose packets on purpose, or have lost some. */
export function qdiscObstacles(
  survey: KernelSurvey,
  { links: used }: Traffic,
): readonly Obstacle[] {
  const { space } = survey;
  return listsIn<Qdisc>(survey, "qdiscs").flatMap((qdisc) => {
    const { kind, dev, drops = 0, options } = qdisc;
    const loss = options?.["loss-random"]?.loss ?? 0;
    if (!used.has(dev) || plain.has(kind) || (drops === 0 && loss === 0)) {
      return [];
    }
    return [{
      kind: "qdisc" as const,
      is: loss === 1 ? "loses" as const : "may lose" as const,
      space,
      what: `the queueing discipline ${kind} on ${dev} of ` +
        `${spaceName(space)} ` +
        (loss > 0
          ? `loses ${Math.round(loss * 100)} % of what leaves there`
          : "has dropped packets that should leave there"),
      evidence: [
        shownIn(
          space,
          cmd`tc -s qdisc show dev ${dev}`,
          qdiscLines(survey, qdisc) ?? `qdisc ${kind}`,
        ),
      ],
      remedies: [mendIn(space, cmd`tc qdisc del dev ${dev} root`)],
    }];
  });
}

/** A link that asks nobody for link-layer addresses, nor answers (ip-link(8), arp). */
export function arpObstacles(
  survey: KernelSurvey,
  { links: used }: Traffic,
): readonly Obstacle[] {
  const { space, links } = survey;
  return links.filter(({ ifname, flags, link_type, addr_info }) =>
    used.has(ifname) && link_type === "ether" && flags.includes("NOARP") &&
    addr_info.some(({ scope }) => scope !== "link")
  ).map(({ ifname }): Obstacle => ({
    kind: "arp",
    is: "loses",
    space,
    what: `ARP is off on ${ifname} of ${spaceName(space)}: it neither asks ` +
      "for link-layer addresses nor answers for its own",
    evidence: [
      shownIn(
        space,
        cmd`ip link show dev ${ifname}`,
        linkLines(survey, ifname, /NOARP/),
      ),
    ],
    remedies: [mendIn(space, cmd`ip link set dev ${ifname} arp on`)],
  }));
}
