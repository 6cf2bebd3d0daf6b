/** The studio's page of a large cluster, from data: a lab of that size costs too much. */
import { clusterOf, inventoryOf } from "../../lib/picture/picture_testing.ts";
import { openAccess } from "../../lib/studio/access.ts";
import { pageAssets } from "../../lib/studio/assets.ts";
import { pageState } from "../../lib/studio/page_state.ts";
import type { PageState } from "../../lib/studio/protocol.ts";
import { openSeat } from "../../lib/studio/seat.ts";
import { handlerOf } from "../../lib/studio/server.ts";
import { allPaths, type Path } from "../../lib/verify/matrix.ts";
import type { PathReport } from "../../lib/verify/matrix_report.ts";
import { stages } from "../stages.ts";

/** A page that is served. */
interface LargePage extends AsyncDisposable {
  /** With the secret. */
  readonly address: string;
}

/** Ten nodes with 63 pods; the pods of one of them do not get out. */
function largeState(): PageState {
  const cluster = clusterOf(10);
  const names = cluster.nodes.map(({ name }) => name);
  const workers = names.slice(1);
  const reported = (path: Path): PathReport => {
    const isWrong = path.kind === "pod-to-outside" && path.from === "worker-7";
    return {
      ...{ ...path, family: 4, asExpected: !isWrong },
      expected: { answer: "yes", as: "pod" },
      observed: isWrong
        ? { answer: "no", said: "no answer" }
        : { answer: "yes", source: "10.244.1.2" },
      ...(isWrong ? { cause: 1 } : {}),
    };
  };
  return pageState({
    cluster,
    inventory: inventoryOf(cluster, 7),
    stages: stages.map(({ name, summary }) => ({
      name,
      summary,
      on: names.map((where) => ({
        ...{ where, is: "applied", changes: [], problems: [] },
      })),
    })),
    seen: {
      is: "tried",
      addresses: new Map(),
      report: {
        version: 1,
        cluster: cluster.name,
        passed: false,
        complete: {},
        pods: workers.map((node) => ({
          ...{ node, addresses: {}, asExpected: true },
        })),
        paths: allPaths(cluster, new Set(workers)).map(reported),
        causes: [{
          number: 1,
          kind: "bridge",
          on: "worker-7",
          what: "worker-7 does not masquerade its pods",
          evidence: [],
          mend: ["make 07-masquerade"],
        }],
        remarks: [],
      },
    },
    news: names.map((name) => `10.244.7.0/24 is no longer known on ${name}`),
  });
}

/** Serves the page; it can be looked at, and asks for nothing. */
export async function serveLargePage(): Promise<LargePage> {
  const access = openAccess();
  const state = largeState();
  const seat = openSeat({
    taken: () => seat.tell({ is: "state", state }),
    left: () => {},
  });
  const handler = handlerOf(access, await pageAssets(), {
    "GET /events": ({ query }) => seat.sit(query.get("page") ?? "", true),
  });
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(options, handler);
  const secret = access.renew();
  return {
    address: `http://127.0.0.1:${server.addr.port}/?secret=${secret}`,
    async [Symbol.asyncDispose]() {
      seat.close();
      await server.shutdown();
    },
  };
}
