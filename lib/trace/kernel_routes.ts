/** Routes as the kernel chooses them for a packet: by source, link and mark, too. Pure. */
import { cmd, type Command } from "../exec/command.ts";
import {
  decidingRule,
  type FibRoute,
  type PolicyRule,
  type RoutedPacket,
  routeText,
  ruleText,
} from "../diagnosis/routing_policy.ts";
import { type Asked, listed } from "../node/batch.ts";
import { birdProtocol, routeProtocol } from "../steps/probes.ts";
import type { StageName } from "../stage/stage.ts";
import type { Place } from "./endpoints.ts";
import type { Passage } from "./passages.ts";
import type { Decision } from "./report.ts";

/** What a place answered about routes. */
export interface RouteAnswers {
  readonly place: Place;
  /** `ip route get fibmatch`, by what was asked (routeKey()). */
  readonly routes: ReadonlyMap<string, Asked>;
  /** `ip -j rule`. */
  readonly rules: Asked;
}

/** The question how the kernel routes such a packet. */
export function routeQuestion(
  { source, destination, in: link, mark }: RoutedPacket,
): Command {
  return cmd`ip -j route get fibmatch ${destination} ${[
    ...(source === undefined ? [] : ["from", source]),
    ...(link === undefined ? [] : ["iif", link]),
    ...(mark === undefined || mark === 0 ? [] : ["mark", `${mark}`]),
  ]}`;
}

/** What tells one such question from others. */
export function routeKey(packet: RoutedPacket): string {
  return routeQuestion(packet).argv.slice(5).join(" ");
}

/** What a packet was like when its route was chosen at a place. */
export function routedPacket(
  { came, sent, through, taken, left, mark, met }: Passage,
): RoutedPacket | undefined {
  const first = came ?? sent;
  if (first === undefined) return undefined;
  const after = through ?? taken ?? (sent === undefined ? undefined : left);
  // One that goes nowhere is not seen under the name that a rule gave it.
  const given = met.map(({ event: { met } }) =>
    met.is === "rule" ? /\bdnat to ([\da-f.:]+[\da-f])/.exec(met.text)?.[1] : ""
  ).find(Boolean)?.replace(/^([\d.]+):\d+$/, "$1");
  return {
    source: first.source,
    destination: after?.destination ?? given ?? first.destination,
    ...(first.in === undefined || first.in === "lo" ? {} : { in: first.in }),
    ...(mark === undefined ? {} : { mark }),
  };
}

/**
 * The kernel's route for a packet at a place; undefined where it has none, or
 * was not asked.
 */
export function kernelRouteOf(
  { routes }: RouteAnswers,
  packet: string | RoutedPacket,
): FibRoute | undefined {
  const asked = routes.get(keyOf(packet));
  return asked === undefined ? undefined : listed<FibRoute>(asked)[0];
}

function keyOf(packet: string | RoutedPacket): string {
  return routeKey(
    typeof packet === "string" ? { destination: packet } : packet,
  );
}

/** The rule of policy routing by which a packet's route was not looked up in the main table. */
export function ruleOf(
  answers: RouteAnswers,
  packet: RoutedPacket,
): PolicyRule | undefined {
  const rules = listed<PolicyRule>(answers.rules);
  return decidingRule(rules, packet, kernelRouteOf(answers, packet));
}

/** The route, or that there is none, as what decided. */
export function routeDecision(
  answers: RouteAnswers,
  packet: string | RoutedPacket,
  bridge: string,
): Decision {
  const found = kernelRouteOf(answers, packet);
  const rule = typeof packet === "string" ? undefined : ruleOf(answers, packet);
  const by = rule === undefined
    ? ""
    : ` (ip rule ${rule.priority}: ${ruleText(rule)})`;
  if (found === undefined) {
    const destination = typeof packet === "string"
      ? packet
      : packet.destination;
    const said = answers.routes.get(keyOf(packet))?.outcome.stderr.trim() ?? "";
    const why = /: (.*)$/m.exec(said)?.[1];
    return {
      kind: "route",
      text: `no route to ${destination}${
        why === undefined ? "" : ` (${why})`
      }${by}`,
    };
  }
  const { dev, protocol } = found;
  const stage: StageName | undefined =
    protocol === routeProtocol || protocol === birdProtocol
      ? "08-routes"
      : dev === bridge && answers.place.pod === undefined
      ? "04-bridge"
      : undefined;
  const text = `${routeText(found)}${by}`;
  return { kind: "route", text, ...(stage === undefined ? {} : { stage }) };
}
