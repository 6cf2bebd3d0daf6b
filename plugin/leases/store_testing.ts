/**
 * A process that uses a store, for the tests: `store_testing.ts DATADIR CALLS`, the calls as JSON, one answer a line.
 * It holds what it reserves against the lease's file before it releases it.
 */
import {
  formatAddress,
  parseAddress,
  parseSubnet,
} from "../address/address.ts";
import { type Store, withStore } from "./leases.ts";
import type { Owner } from "../cni/protocol.ts";
import type { Pool } from "./round_robin.ts";
import { cniErrorOf } from "../cni/failure.ts";

/** What to do: with one attachment, or the whole life of many, one after the other. */
export type Call =
  | { do: "reserve" | "release" | "held"; pod: string; wanted?: string[] }
  | { do: "churn"; pods: string; times: number }
  | { do: "fill the disk and lose the index" };

/** What it did, or the error. */
export type Answer = string[] | {
  code: number;
  message: string;
  details: string;
};

export const network = "podnet";

export const pools: Pool[] = ["10.244.1.0/24", "fd00:0:0:1::/64"].map(
  (text, rangeIndex) => {
    const subnet = parseSubnet(text);
    const { family, network } = subnet;
    return { subnet, rangeIndex, excluded: [{ family, value: network + 1n }] };
  },
);

export const ownerOf = (pod: string): Owner => ({
  containerID: pod,
  ifname: "eth0",
});

function answer(dataDir: string, call: Call): Answer {
  const use = <T>(body: (store: Store) => T) =>
    withStore({ dataDir, network }, body);
  try {
    switch (call.do) {
      case "reserve": {
        const wanted = (call.wanted ?? []).map(parseAddress);
        const owner = ownerOf(call.pod);
        return use((store) => store.reserve(owner, pools, wanted))
          .map(formatAddress);
      }
      case "release": {
        const owner = ownerOf(call.pod);
        return use((store) => store.release(owner)).map(formatAddress);
      }
      case "held": {
        const owner = ownerOf(call.pod);
        return use((store) => store.held(owner)).map(formatAddress);
      }
      case "churn":
        return churn(dataDir, call.pods, call.times, use);
      case "fill the disk and lose the index":
        return fill(dataDir);
    }
  } catch (error) {
    const { code, message, details } = cniErrorOf(error);
    return { code, message, details };
  }
}

function churn(
  dataDir: string,
  pods: string,
  times: number,
  use: <T>(body: (store: Store) => T) => T,
): string[] {
  const faults: string[] = [];
  for (let n = 0; n < times; n++) {
    const owner = ownerOf(`${pods}-${n}`);
    const taken = use((store) => store.reserve(owner, pools))
      .map(formatAddress);
    for (const address of taken) {
      const path = `${dataDir}/${network}/${address}`;
      const text = Deno.readTextFileSync(path);
      if (text !== `${owner.containerID}\r\n${owner.ifname}`) {
        faults.push(`${address} of ${owner.containerID}: ${text}`);
      }
    }
    const given = use((store) => store.release(owner)).map(formatAddress);
    if (given.join() !== taken.join()) {
      faults.push(`${owner.containerID} took ${taken} and gave ${given}`);
    }
  }
  return faults;
}

function fill(dataDir: string): string[] {
  Deno.removeSync(`${dataDir}/.deno-cni`, { recursive: true });
  const file = Deno.openSync(`${dataDir}/filler`, {
    create: true,
    write: true,
  });
  const page = new Uint8Array(4096);
  try {
    for (;;) file.writeSync(page);
  } catch (error) {
    return [String((error as { code?: string }).code)];
  } finally {
    file.close();
  }
}

if (import.meta.main) {
  const [dataDir, calls] = Deno.args;
  for (const call of JSON.parse(calls ?? "") as Call[]) {
    console.log(JSON.stringify(answer(dataDir ?? "", call)));
  }
}
