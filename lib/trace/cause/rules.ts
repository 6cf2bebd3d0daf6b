/** What a rule does to a packet that it should not. Pure. */
import { evidence, type NodeFacts } from "../../diagnosis/evidence.ts";
import { readTable, traverse } from "../../net/iptables.ts";
import type { Cause } from "../../diagnosis/cause.ts";
import {
  deleteRule,
  dropCause,
  rewriteCause,
} from "../../diagnosis/iptables_faults.ts";
import { cmd, show } from "../../exec/command.ts";
import {
  lookAtPlace,
  placeName,
  remedyAt,
  ruleDecision,
} from "../place_state.ts";
import { kernelRouteOf } from "../kernel_routes.ts";
import { isNftName } from "../../net/nft_name.ts";
import type { Remedy } from "../../diagnosis/remedy.ts";
import type { Place } from "../endpoints.ts";
import type { TraceEvent } from "../nft_events.ts";
import type { TraceFindings } from "../findings.ts";
import type { Stop } from "../packet_path.ts";
import type { Met, Passage } from "../passages.ts";

/** Why the filter drops a packet. */
export function droppedBy(
  { at: { place }, by }: Stop & { readonly is: "dropped" },
  { answersOf, facts }: TraceFindings,
): Cause {
  const { event } = by;
  const decision = ruleDecision(answersOf(place), event);
  const found = place.pod === undefined ? facts.get(place.machine) : undefined;
  const [, table = ""] = event.table.split(" ");
  // Where the program went, its chains may have stayed.
  const isIptables = decision.text.startsWith("-") &&
    found?.filter.outcome.code === 0;
  if (found !== undefined && isIptables && table === "filter") {
    return dropCause(
      found,
      by.hook.toUpperCase(),
      verdictOf(by, decision.text),
    );
  }
  const { met } = event;
  return {
    kind: "rule",
    on: place.machine,
    what: `${met.is === "rule" ? "a rule" : "the policy"} of ` +
      `${event.table} ${event.chain} on ${placeName(place)} drops the packet`,
    evidence: [{
      where: placeName(place),
      command: show(
        cmd`nft -a list chain ${[...event.table.split(" "), event.chain]}`,
      ),
      printed: decision.text,
    }],
    remedies: found !== undefined && isIptables && met.is === "rule"
      ? [deleteRule(found.node, table, decision.text)]
      : [withoutDrop(place, event)],
  };
}

/** Takes away a rule that changed a packet, in iptables' words where it has those. */
export function withoutRule(
  place: Place,
  event: TraceEvent,
  text: string,
  found: NodeFacts | undefined,
): readonly Remedy[] {
  const [, table = ""] = event.table.split(" ");
  return found !== undefined && place.pod === undefined && text.startsWith("-")
    ? [deleteRule(found.node, table, text)]
    : [withoutDrop(place, event)];
}

/** Takes away the rule that an event tells of, or opens its chain's policy. */
function withoutDrop(place: Place, { table, chain, met }: TraceEvent): Remedy {
  const names = [...table.split(" "), chain];
  if (!names.every(isNftName)) {
    return lookAtPlace(place, cmd`nft -a list ruleset`);
  }
  return met.is === "rule" && met.handle !== undefined
    ? remedyAt(place, cmd`nft delete rule ${names} handle ${met.handle}`)
    : remedyAt(place, cmd`nft chain ${names} ${"{ policy accept; }"}`);
}

function verdictOf({ event }: Met, text: string) {
  if (event.met.is !== "rule") return { target: "DROP" };
  const [, target = "DROP"] = / -[jg] (\S+)/.exec(text) ?? [];
  return { target, rule: text };
}

/**
 * Does iptables say of a packet that went nowhere that it drops it? Where
 * iptables is the old one, the kernel tells nothing of its rules in a trace.
 */
export function unseenDrop(
  { place, came, met }: Passage,
  isReply: boolean,
  { facts, answersOf }: TraceFindings,
): Cause | undefined {
  const found = facts.get(place.machine);
  if (found === undefined || came === undefined || place.pod !== undefined) {
    return undefined;
  }
  const { source, destination } = came;
  const out = kernelRouteOf(answersOf(place), destination)?.dev;
  if (met.length > 0 || out === undefined || came.in === undefined) {
    return undefined;
  }
  const packet = { source, destination, in: came.in, out, reply: isReply };
  const table = readTable(found.filter.outcome.stdout);
  const verdict = traverse(table, "FORWARD", packet);
  return verdict.target === "ACCEPT"
    ? undefined
    : dropCause(found, "FORWARD", verdict);
}

/** Has a rule given the packet another source, where both ends are pods? */
export function rewrittenFault(
  { followed: { there }, from, to, answersOf, facts }: TraceFindings,
): Cause | undefined {
  if (from.pod === undefined || to.pod === undefined) return undefined;
  const passage = there.passages.find(rewrites);
  if (passage === undefined) return undefined;
  const { place, left } = passage;
  const found = facts.get(place.machine);
  const met = passage.met.find(({ hook }) => hook === "postrouting");
  if (met === undefined || found === undefined) return undefined;
  const { text } = ruleDecision(answersOf(place), met.event);
  if (text.startsWith("-")) return rewriteCause(found, text, true, "");
  return {
    kind: "masquerade",
    on: place.machine,
    what: `a rule of ${place.machine} rewrites what pods send to pods: the ` +
      `receiver sees ${left?.source}`,
    evidence: [evidence(found.nat), {
      where: place.machine,
      command: "nft list ruleset",
      printed: text,
    }],
    remedies: [withoutDrop(place, met.event)],
  };
}

/** Whether a packet left a place under another source. */
export function rewrites({ through, sent, left }: Passage): boolean {
  const before = through ?? sent;
  return before !== undefined && left !== undefined &&
    before.source !== left.source;
}
