/**
 * The API server of scripts/bench/agent.ts, in the network of the agent's node: given
 * how many Nodes there are, it says its address; each line on stdin has so many more join, and
 * it says which requests there were. One JSON a line; it ends when its stdin does.
 */
import {
  testApiServer,
  testNode,
} from "../../lib/apiserver/api_server_testing.ts";

/** A Node object is some 10 kB, most of it the list of images that the kubelet has. */
const images = Array.from({ length: 50 }, (_, at) => ({
  names: [
    `registry.example.org/team/image-${at}@sha256:${
      "0123456789abcdef".repeat(4)
    }`,
    `registry.example.org/team/image-${at}:v1.${at}`,
  ],
  sizeBytes: 12_345_678,
}));

await using api = testApiServer();
let size = 0;

/** Nodes of one segment, as scripts/bench/many_nodes.ts has them. */
function join(count: number): void {
  for (const end = size + count; size < end; size++) {
    const address = `10.0.${1 + Math.floor(size / 250)}.${2 + size % 250}`;
    const podCIDR = `10.${128 + (size >> 8)}.${size & 255}.0/24`;
    const node = testNode(`node-${size}`, address, podCIDR);
    api.put({ ...node, status: { ...node.status, images } });
  }
}

function say(value: unknown): void {
  console.log(JSON.stringify(value));
}

join(Number(Deno.args[0]));
say({ url: api.url });
let told = 0;
for await (
  const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())
) {
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const requests = api.got.slice(told).map(({ method, path, query }) => ({
      what: `${method} ${path}`,
      timeout_s: Number(query.get("timeoutSeconds")) || undefined,
    }));
    told += requests.length;
    join(Number(line));
    say({ requests });
  }
}
