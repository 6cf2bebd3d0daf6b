/** The routes that a network namespace has, as it told them. Pure. */
import type { Family } from "../../net/cidr.ts";
import { readList } from "../../net/ip_json.ts";
import type { KernelSurvey } from "./survey.ts";

/** A route as `ip -j route` has it. */
export interface PathRoute {
  readonly type?: string;
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly metric?: number;
  readonly protocol?: string;
  /** The number of a next hop object. */
  readonly nhid?: number;
  readonly metrics?: readonly { readonly mtu?: number }[];
}

/** A route in a line, as far as it tells where packets go. */
export function lineOf({ type, dst, gateway, dev }: PathRoute): string {
  return [
    ...(type === undefined ? [] : [type]),
    dst,
    ...(gateway === undefined ? [] : ["via", gateway]),
    ...(dev === undefined ? [] : ["dev", dev]),
  ].join(" ");
}

/** A namespace's routes: each family's are a list of their own, on a line. */
export function pathRoutes(
  { parts }: Pick<KernelSurvey, "parts">,
): Record<Family, readonly PathRoute[]> {
  const [four = "", six = ""] = (parts.get("routes") ?? "").split("\n");
  return { 4: readList<PathRoute>(four), 6: readList<PathRoute>(six) };
}
