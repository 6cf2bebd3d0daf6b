/** How a stage stands, by what its probes say and the journal remembers. */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import { cmd } from "../exec/command.ts";
import { emptyJournal, type Journal } from "../stage/journal.ts";
import { localNode } from "../node/node.ts";
import {
  answered,
  byMachine,
  type StageOn,
  type StageState,
  stageState,
  type StepFinding,
} from "./stage_state.ts";

const stage = "06-forwarding";

const complete: Journal = { complete: [stage], records: [] };

const begun: Journal = {
  complete: [],
  records: [{ stage, step: "one", state: "done", changed: true }],
};

const there: StepFinding = { is: "there", ours: false };
const ours: StepFinding = { is: "there", ours: true };
const refused: StepFinding = { is: "refused", why: "refused: another's" };
const unknown: StepFinding = { is: "unknown", why: "permission denied" };
const wanted: StepFinding = {
  is: "wanted",
  step: {
    why: "a node is a router",
    run: cmd`sysctl -w net.ipv4.ip_forward=1`,
  },
};

const stateOf = (journal: Journal, ...found: StepFinding[]) =>
  stageState("worker-1", stage, journal, found, []).is;

Deno.test("a stage is applied when a run would change nothing, whatever the journal says", () => {
  assertEquals(stateOf(complete, there, ours), "applied");
  assertEquals(stateOf(emptyJournal, there, ours), "applied");
  assertEquals(stateOf(emptyJournal), "none");
});

Deno.test("a stage that was run to its end has drifted when something of it is gone, or is another's now", () => {
  assertEquals(stateOf(complete, ours, wanted), "drifted");
  assertEquals(stateOf(complete, ours, refused), "drifted");
});

Deno.test("a setting that happens to be right makes no stage partly applied; our mark or the journal does", () => {
  assertEquals(stateOf(emptyJournal, there, wanted), "not");
  assertEquals(stateOf(emptyJournal, ours, wanted), "partly");
  assertEquals(stateOf(begun, there, wanted), "partly");
  assertEquals(stateOf(emptyJournal, refused), "not");
});

Deno.test("what nobody can say is unknown, also where the rest is clear", () => {
  assertEquals(stateOf(complete, ours, unknown, wanted), "unknown");
});

Deno.test("what a run would do is told with its reasons, and what an earlier one did that is no longer asked for", () => {
  const undo = cmd`ip route del 10.244.9.0/24`;
  const on = stageState("worker-1", stage, complete, [wanted, refused], [
    { why: "no longer", run: undo },
  ]);
  assertEquals(on.changes, [
    { why: "no longer", command: "ip route del 10.244.9.0/24" },
    { why: "a node is a router", command: "sysctl -w net.ipv4.ip_forward=1" },
  ]);
  assertEquals(on.problems, ["refused: another's"]);
  assertEquals(stateOf(complete), "applied");
});

Deno.test("what the operator's machine does about a node is one with what the node does", () => {
  const part = (where: string, is: StageState): StageOn => ({
    where,
    is,
    changes: [],
    problems: [`${is} there`],
  });
  const on = byMachine([
    part("worker-1", "not"),
    part("worker-2", "not"),
    part("master", "applied"),
    part("worker-1", "applied"),
    part("worker-2", "drifted"),
    part("master", "applied"),
  ]);
  assertEquals(on.map(({ where, is }) => `${where}: ${is}`), [
    "worker-1: partly",
    "worker-2: drifted",
    "master: applied",
  ]);
  assertEquals(on[0]?.problems, ["not there", "applied there"]);
});

Deno.test("a machine is not asked again what it has said", async () => {
  const { name } = labCluster({ name: "lab", stateDir: "/nowhere" });
  const outcome = { code: 7, stdout: "said before", stderr: "" };
  const command = cmd`false`;
  const node = answered(localNode(name), [{ where: name, command, outcome }]);
  assertEquals(await node.run(cmd`false`), outcome);
  assertEquals((await node.run(cmd`true`)).code, 0);
});
