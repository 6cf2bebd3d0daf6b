/** A trace as text for people: 80 columns wide, and nothing that colour alone says. Pure. */
import { causeLines, pasteLine } from "../diagnosis/cause.ts";
import {
  type Decision,
  isWell,
  type TraceEnd,
  type TraceHop,
  type TracePacket,
  type TraceReport,
} from "./report.ts";
import { printable } from "../text/printable.ts";
import { wrap } from "../text/wrap.ts";
import { mark } from "../net/mark.ts";

/** How to render. */
interface TextOptions {
  /** Whether outcomes are coloured; their words stay. */
  readonly colour?: boolean;
}

/** What a line may take. */
const width = 79;

/** The whole of a trace. */
export function traceText(
  report: TraceReport,
  options: TextOptions = {},
): string {
  const { from, to, family, otherFamily } = report;
  return [
    wrap(
      `${titleOf(from)} → ${titleOf(to)}, IPv${family}: ${
        followedWords(report)
      }`,
      "",
      "  ",
    ),
    ...ways(report, options),
    "",
    ...packetLines(report),
    "",
    ...verdict(report),
    ...(otherFamily === undefined ? [] : otherText(otherFamily, options)),
  ].join("\n");
}

/** The other family: in a line where all is well. */
function otherText(report: TraceReport, options: TextOptions): string[] {
  if (!isWell(report)) return ["", traceText(report, options)];
  const { from, to, family, remarks } = report;
  return [
    wrap(
      `IPv${family} too, ${
        printable(`${from.address} → ${to.address}`)
      }: ${allWell}`,
    ),
    ...remarks.map((remark) => wrap(printable(remark), "  ")),
  ];
}

const allWell =
  "DELIVERED, and the answer came back: nothing is wrong on this path";

/** "worker-1/shell (10.244.1.2)", "worker-1 (…)", or an address that is not known. */
function titleOf({ node, pod, address }: TraceEnd): string {
  const name = pod === undefined ? node : `${node}/${pod}`;
  return printable(
    name === undefined ? `${address} (nobody known)` : `${name} (${address})`,
  );
}

const packetNames = {
  request: "a web request",
  connection: "a TCP connection",
  datagram: "a UDP datagram",
  ping: "a ping",
  "full-mtu": "a ping of full length",
} as const;

function followedWords({ packets, followed }: TraceReport): string {
  const packet = packets.find(({ kind }) => kind === followed);
  const size = packet?.size_bytes === undefined
    ? ""
    : ` (${packet.size_bytes} bytes)`;
  const port = packet?.port === undefined ? "" : ` to port ${packet.port}`;
  return `${packetNames[followed]}${port}${
    followed === "full-mtu" ? size : ""
  }`;
}

function ways(report: TraceReport, options: TextOptions): string[] {
  const { hops } = report;
  const columns = columnsOf(hops);
  return (["there", "back"] as const).flatMap((direction) => {
    const own = hops.filter((hop) => hop.direction === direction);
    if (own.length === 0) return [];
    return [
      "",
      direction,
      ...own.flatMap((hop) => hopLines(hop, columns, options)),
    ];
  });
}

interface Columns {
  readonly where: number;
  readonly outcome: number;
  readonly place: number;
}

function columnsOf(hops: readonly TraceHop[]): Columns {
  const longest = (texts: readonly string[]) =>
    Math.max(0, ...texts.map((text) => text.length));
  return {
    where: longest(hops.map(whereOf)),
    outcome: longest(hops.map(({ outcome }) => outcome)),
    place: longest(hops.map(placeOf)),
  };
}

function whereOf({ node, pod, place }: TraceHop): string {
  if (place === "segment" || place === "tunnel") return place;
  return printable(pod === undefined ? node : `${node}/${pod}`);
}

function placeOf({ place, link }: TraceHop): string {
  if (place === "segment" || place === "tunnel") return "";
  return link === undefined ? place : `${place} ${printable(link)}`;
}

const arrow = (
  { source, destination }: Pick<TraceHop, "source" | "destination">,
) => printable(`${source} → ${destination}`);

/** A hop in words, for those who show it in another form than traceText(). */
export function hopInWords(hop: TraceHop): {
  /** The machine or pod, and the place in it. */
  readonly where: string;
  readonly addresses: string;
  /** What decided, the first thing first. */
  readonly by: readonly string[];
} {
  const now = hop.after === undefined ? "" : `, now ${arrow(hop.after)}`;
  return {
    where: `${whereOf(hop)} ${placeOf(hop)}`.trim(),
    addresses: arrow(hop) + now,
    by: hop.by.map(decisionText),
  };
}

function hopLines(
  hop: TraceHop,
  columns: Columns,
  options: TextOptions,
): string[] {
  const indent = " ".repeat(2 + columns.where + 2);
  const outcome = coloured(
    hop.outcome.padEnd(columns.outcome),
    hop.outcome,
    options,
  );
  const first = `  ${whereOf(hop).padEnd(columns.where)}  `;
  const rest = `  ${placeOf(hop).padEnd(columns.place)}  `;
  const addresses = arrow(hop);
  const length = first.length + columns.outcome + rest.length +
    addresses.length;
  const lines = length <= width ? [first + outcome + rest + addresses] : [
    (first + outcome + rest).trimEnd(),
    wrap(addresses, indent, `${indent}  `),
  ];
  const more = [
    ...(hop.after === undefined ? [] : [`now ${arrow(hop.after)}`]),
    ...hop.by.map(decisionText),
  ];
  return [
    ...lines,
    ...more.map((text) => wrap(text, `${indent}  `, `${indent}    `)),
  ];
}

/** What decided, in words; our own mark says no more than the stage does. */
function decisionText({ kind, text, stage }: Decision): string {
  const shown = kind === "rule"
    ? text.replace(` -m comment --comment ${mark}`, "")
    : text;
  return `${kind}: ${printable(shown)}${
    stage === undefined ? "" : ` (${stage})`
  }`;
}

function coloured(
  text: string,
  outcome: TraceHop["outcome"],
  { colour = false }: TextOptions,
): string {
  if (!colour) return text;
  const code = outcome === "DROPPED"
    ? 31
    : outcome === "DELIVERED"
    ? 32
    : outcome === "REWRITTEN"
    ? 33
    : 0;
  return code === 0 ? text : `\x1b[${code}m${text}\x1b[0m`;
}

function packetLines({ packets }: TraceReport): string[] {
  const names = packets.map(packetName);
  const longest = Math.max(0, ...names.map((name) => name.length));
  return packets.map((packet, at) =>
    wrap(
      `${packet.answered ? "answered" : "no answer"}${saidOf(packet)}`,
      `${names[at]?.padEnd(longest)}  `,
      " ".repeat(longest + 2),
    )
  );
}

function packetName({ kind, size_bytes, port }: TracePacket): string {
  if (kind === "request") return "web request";
  if (kind === "connection") return `TCP, port ${port}`;
  if (kind === "datagram") return `UDP, port ${port}`;
  return kind === "ping"
    ? `ping, ${size_bytes} bytes`
    : `ping, ${size_bytes} bytes, not to be cut`;
}

function saidOf({ kind, said, answered }: TracePacket): string {
  if (answered) {
    return kind === "request" ? `; the receiver saw ${printable(said)}` : "";
  }
  return said === "no answer" ? "" : `: ${printable(said)}`;
}

function verdict(report: TraceReport): string[] {
  const { hops, lastGood, cause, remarks, delivered } = report;
  const lines = remarks.map((remark) => wrap(printable(remark)));
  if (cause === undefined) {
    return [
      ...lines,
      delivered ? allWell : "NOT DELIVERED",
    ];
  }
  const good = hops[lastGood];
  return [
    ...lines,
    delivered ? "DELIVERED, but not as it should be" : "NOT DELIVERED",
    good === undefined
      ? "last good hop: none"
      : `last good hop: ${whereOf(good)}, ${good.outcome} (${
        placeOf(good) || good.place
      }), ${good.direction}`,
    wrap(cause.what, "cause: "),
    ...causeLines(cause).map((line) => {
      const [, own = "", text = ""] = /^( *)(.*)$/s.exec(line) ?? [];
      // A command to paste stays in one line.
      return pasteLine.test(line)
        ? `  ${line}`
        : wrap(text, `  ${own}`, `  ${own}  `);
    }),
  ];
}
