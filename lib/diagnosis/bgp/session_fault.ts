/** Why a session is down, in bird's words and in ours, and what mends it. Pure. */
import type { SeenSession } from "../../bgp/seen_sessions.ts";
import { wholeOf } from "../../cluster/address_family.ts";
import type { BgpSession } from "../../cluster/bgp_sessions.ts";
import { cmd, type Command } from "../../exec/command.ts";
import type { Cause } from "../cause.ts";
import { makeStage, onNode, type Remedy } from "../remedy.ts";
import type { BgpAnswer } from "./answer.ts";

/** Why a session is down. */
export interface DownReason {
  readonly why: string;
  readonly remedies: readonly Remedy[];
  readonly by: KnownBy;
  /** Whether TCP port 179 may be dropped between the two ends. */
  readonly dropped?: true;
}

/** By what a reason is known: something of the node's own, the far end's word, or nothing. */
export type KnownBy = "own" | "said" | "guess";

/**
 * Why a session is down.
 *
 * @param found what bird says of it; undefined where it has no such session
 * @param drift how the node itself is not as stage 08 left it
 */
export function whyDown(
  answer: BgpAnswer,
  session: BgpSession,
  found: SeenSession | undefined,
  drift: Cause | undefined,
): DownReason {
  return drop(answer, session) ?? drifted(drift) ??
    reasonOf(answer, session, found);
}

/** The far end, as it is called. */
export function whom({ node, address }: BgpSession): string {
  return node ?? `the router ${address}`;
}

/** Rules of the node's own packet filter, which all have to go. */
function drop(
  { node, lines }: BgpAnswer,
  { address }: BgpSession,
): DownReason | undefined {
  const on = node.name;
  const rules = [
    ...lines("rule")
      .filter((line) => !/ -[sd] /.test(line) || line.includes(` ${address}/`))
      .map((line): readonly [string, Command] => {
        const [tool = "iptables", , ...words] = line.split(" ");
        return [line, cmd`${tool} -w -D ${words}`];
      }),
    ...lines("nft")
      .filter((line) =>
        !/ [sd]addr /.test(line) || line.includes(` ${address} `)
      )
      .map((line): readonly [string, Command] => {
        const [family = "", table = "", chain = "", handle = "", ...words] =
          line.split(" ");
        const at = [family, table, chain];
        return [
          `nft ${at.join(" ")}: ${words.join(" ")}`,
          cmd`nft delete rule ${at} handle ${handle}`,
        ];
      }),
  ];
  const [first] = rules;
  return first && {
    why: `${on} drops what is for BGP's port 179: ${first[0]}`,
    remedies: rules.map(([, command]) => onNode(on, command)),
    by: "own",
  };
}

function drifted(drift: Cause | undefined): DownReason | undefined {
  return drift &&
    { why: drift.what, remedies: drift.remedies, by: "own" };
}

function reasonOf(
  answer: BgpAnswer,
  session: BgpSession,
  found: SeenSession | undefined,
): DownReason {
  const here = [makeStage("08-routes", answer.node.name)];
  if (found === undefined) {
    const why = "it has not read its configuration";
    return { why, remedies: here, by: "own" };
  }
  if (found.state === "down") {
    const why = "it was switched off (birdc disable)";
    return { why, remedies: here, by: "own" };
  }
  return farReason(answer, session, found) ?? silence(answer, session, found);
}

/** What the far end, or the kernel, has said. */
function farReason(
  answer: BgpAnswer,
  session: BgpSession,
  { error = "" }: SeenSession,
): DownReason | undefined {
  const { node, lines } = answer;
  const { node: far, local, as, address } = session;
  const there = atFarEnd(answer, session);
  if (/Bad peer AS/.test(error)) return wrongAs(answer, session, error);
  if (/Connection refused/.test(error)) {
    return {
      why: `no bird runs at the other end (${address})`,
      remedies: there(`start BGP there, for AS ${as}`),
      by: "said",
    };
  }
  if (Number(lines("md5")[0] ?? 0) > 0) {
    return {
      why:
        `the passwords differ: the kernel of ${node.name} refuses segments ` +
        "for their signature (RFC 2385), or for lacking one",
      remedies: far === undefined
        ? there("give it the password of bgp.passwordFile")
        : [{ stage: "08-routes" }],
      by: "said",
    };
  }
  if (/No route to host|unreachable/i.test(error)) {
    return {
      why: "the other end is not reached at all",
      remedies: there("find out why it does not answer"),
      by: "guess",
    };
  }
  if (/Received: (?!Administrative reset)/.test(error)) {
    return {
      why: "the other end has ended it",
      remedies: there(`look there at its session with ${local}`),
      by: "said",
    };
  }
  return /Connection reset|Connection closed|Invalid authentication/.test(error)
    ? {
      why: "the other end hung up: its bird ended, or has no such session",
      remedies: there(`give it a session with ${local}`),
      by: "guess",
    }
    : undefined;
}

/** Nothing is said any more, or was ever. */
function silence(
  answer: BgpAnswer,
  session: BgpSession,
  { state, error = "" }: SeenSession,
): DownReason {
  const there = atFarEnd(answer, session)("find out why BGP there is silent");
  if (state.startsWith("Open")) {
    return {
      why:
        "the other end takes the connection and says nothing: its bird hangs",
      remedies: there,
      by: "said",
    };
  }
  // Where passwords are, nothing refuses a connection for a bird that is gone.
  const bird = answer.cluster.bgp?.passwordFile === undefined
    ? ""
    : "no bird runs there, or ";
  return {
    why: /Hold timer/.test(error)
      ? "the other end has fallen silent"
      : `nothing comes back: ${bird}TCP port 179 is dropped between the two`,
    remedies: bird !== "" || /Hold timer/.test(error) ? there : [],
    by: "guess",
    dropped: true,
  };
}

/** The two ends do not agree on the number of an autonomous system. */
function wrongAs(
  answer: BgpAnswer,
  session: BgpSession,
  error: string,
): DownReason {
  const { cluster, lines } = answer;
  const { name, as, address, node } = session;
  const number = lines("log").filter((line) => line.includes(` ${name}: `))
    .at(-1)?.match(/Bad peer AS: (\d+)/)?.[1];
  const there = atFarEnd(answer, session);
  if (/Received/.test(error)) {
    return {
      why: "the other end expects another autonomous system than " +
        `${cluster.bgp?.as ?? 0} here`,
      remedies: there(`let it expect AS ${cluster.bgp?.as ?? 0}`),
      by: "said",
    };
  }
  return {
    why:
      `the other end says that it is AS ${number ?? "another"}, and ${as} is ` +
      "expected",
    remedies: there(
      `let it be AS ${as}, or give ${address} its own number in bgp.peers of ` +
        cluster.file,
    ).concat(
      node === undefined && !isLabs(answer, address)
        ? [{ stage: "08-routes" }]
        : [],
    ),
    by: "said",
  };
}

/** What mends a far end: stage 08 where it is one of its own, else a sentence. */
export function atFarEnd(
  answer: BgpAnswer,
  { node, address }: BgpSession,
): (say: string) => readonly Remedy[] {
  return (say) =>
    node !== undefined
      ? [makeStage("08-routes", node)]
      : isLabs(answer, address)
      ? [{ stage: "08-routes" }]
      : [{ say: `on the router ${address}: ${say}` }];
}

/** Whether an address is that of the router between a lab's segments. */
function isLabs({ cluster }: BgpAnswer, address: string): boolean {
  const { segments = [] } = wholeOf(cluster);
  return segments.some(({ router }) => router.includes(address));
}
