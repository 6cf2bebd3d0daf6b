/** What was seen of a packet's own path comes before a table of the kernel that is full. */
// @ts-types="../../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { labCluster } from "../../cluster/cluster_testing.ts";
import type { Cause, CauseKind } from "../../diagnosis/cause.ts";
import { askTables } from "../../diagnosis/kernel_tables/kernel_tables.ts";
import { recordedTables } from "../../diagnosis/kernel_tables/tables_testing.ts";
import { orFullTable } from "./tables.ts";

/** A neighbour table as recorded, but full. */
const stdout = recordedTables({
  boundary: askTables.argv.at(-1) ?? "",
  instead: [["entries 73", "entries 1024"]],
});

const tables = {
  where: "worker-1",
  command: askTables,
  outcome: { code: 0, stdout, stderr: "" },
};

const cluster = labCluster({ name: "lab", stateDir: "/nowhere" });
const end = { machine: "worker-1", address: "10.244.1.2" };
const lost = {
  passages: [],
  stop: { is: "unsent" as const, at: { machine: "worker-1" } },
};

function told(
  kind: CauseKind | undefined,
  { said = "", there = lost }: { said?: string; there?: typeof lost | Way } =
    {},
): CauseKind | undefined {
  const cause: Cause | undefined = kind && {
    kind,
    on: "worker-1",
    what: "seen",
    evidence: [],
    remedies: [],
  };
  return orFullTable(cause, {
    facts: new Map([["worker-1", { tables }]]),
    ...{ from: end, to: { ...end, machine: "worker-2" }, cluster },
    followed: { answered: false, said, there, back: { passages: [] } },
  })?.kind;
}

type Way = { readonly passages: readonly never[] };

Deno.test("an answer that did not come may be a table's that is full; a neighbour that was seen to be wrong is not", () => {
  assertEquals(told("receiver"), "kernel-table");
  assertEquals(told("unknown"), "kernel-table");
  assertEquals(told(undefined), "kernel-table");
  assertEquals(told("neighbour"), "neighbour");
  assertEquals(told("route"), "route");
});

Deno.test("where packets went there and back, or a refusal came, no table lost them", () => {
  assertEquals(told("receiver", { there: { passages: [] } }), "receiver");
  const said = "connect: Connection refused";
  assertEquals(told("receiver", { said }), "receiver");
});
