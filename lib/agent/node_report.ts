/** What the agent writes to its own Node: Events, a condition, annotations. */
import { type ApiClient, ApiError } from "../apiserver/client.ts";
import { digest } from "../net/mac.ts";
import { vtepMac } from "../net/vxlan.ts";
import { annotation } from "./node_record.ts";

/** How long one and the same Event is not told again. */
const silence_ms = 600_000;

/** An Event's message holds 1,024 bytes (core/v1, validation of events). */
const longestMessage = 1000;

/** What is wrong, for a Node's Events. */
export interface Trouble {
  /** One word, e.g. Refused. */
  readonly reason: string;
  readonly message: string;
}

/** What is told of one's own Node. */
export interface NodeReporter {
  /** @throws what a request throws */
  event(trouble: Trouble, signal: AbortSignal): Promise<void>;
  /** Says that the node's network is there, where a cloud waits for that (KEP-2062). */
  networkIsUp(signal: AbortSignal): Promise<void>;
  /** Says where the node's end of the tunnels is; undefined: that there is none. */
  vtep(address: string | undefined, signal: AbortSignal): Promise<void>;
}

/** @param now gives milliseconds since 1970 */
export function nodeReporter(
  client: ApiClient,
  node: string,
  now: () => number = Date.now,
): NodeReporter {
  const told = new Map<string, { at_ms: number; count: number }>();
  const status = `/api/v1/nodes/${node}/status`;
  const events = "/api/v1/namespaces/default/events";
  const patch = (
    path: string,
    contentType: string,
    body: unknown,
    signal: AbortSignal,
  ) => client.json(path, { method: "PATCH", body, contentType, signal });
  return {
    async event({ reason, message }, signal) {
      const name = `${node}.deno-cni-${digest(`${reason} ${message}`)}`;
      const before = told.get(name);
      const at_ms = now();
      // The clock may have been set back.
      const since_ms = Math.abs(at_ms - (before?.at_ms ?? -Infinity));
      if (since_ms < silence_ms) return;
      const count = (before?.count ?? 0) + 1;
      const time = new Date(at_ms).toISOString().replace(/\.\d+/, "");
      const body = eventObject(node, name, { reason, message }, time);
      try {
        await client.json(events, { method: "POST", body, signal });
      } catch (error) {
        // Of an agent before this one.
        if (!(error instanceof ApiError) || error.code !== 409) throw error;
        const again = { lastTimestamp: time, count };
        await patch(
          `${events}/${name}`,
          "application/merge-patch+json",
          again,
          signal,
        );
      }
      told.set(name, { at_ms, count });
    },
    async networkIsUp(signal) {
      const time = new Date(now()).toISOString().replace(/\.\d+/, "");
      await patch(status, "application/strategic-merge-patch+json", {
        status: {
          conditions: [{
            type: "NetworkUnavailable",
            status: "False",
            reason: "DenoCniIsUp",
            message: "deno-cni has set up the node's pod network",
            lastHeartbeatTime: time,
            lastTransitionTime: time,
          }],
        },
      }, signal);
    },
    async vtep(address, signal) {
      await patch(status, "application/merge-patch+json", {
        metadata: {
          annotations: {
            // A null takes a key away (RFC 7386).
            [annotation.vtepAddress]: address ?? null,
            [annotation.vtepMac]: address === undefined ? null : vtepMac(node),
          },
        },
      }, signal);
    },
  };
}

/** core/v1 Event; a Node is named there as the kubelet does it, with its name as uid. */
function eventObject(
  node: string,
  name: string,
  { reason, message }: Trouble,
  time: string,
): unknown {
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace: "default" },
    involvedObject: { apiVersion: "v1", kind: "Node", name: node, uid: node },
    reason,
    message: message.slice(0, longestMessage),
    type: "Warning",
    source: { component: "deno-cni", host: node },
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
}
