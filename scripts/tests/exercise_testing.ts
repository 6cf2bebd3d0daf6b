/** What the tests of the exercises share: what each breaks, and how it is marked. */
// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import type { TestLab } from "./lab_testing.ts";

/** An exercise, as a test sees it. */
export interface Case {
  readonly number: number;
  readonly node: string;
  readonly stage: string;
  /** What 09 says is wrong, so that the exercise breaks what it is about. */
  readonly kind: string;
  /** Shell lines that repair the paths by hand, on that node. */
  readonly byHand: string;
  /** What a shell line on that node shows of the fault. */
  readonly shows: readonly [line: string, part: string];
}

/** All of them. */
export const cases: readonly Case[] = [
  {
    number: 1,
    node: "worker-2",
    stage: "06-forwarding",
    kind: "rule",
    byHand: "iptables -w -I FORWARD -s 10.244.0.0/16 -m comment " +
      "--comment deno-cni -j ACCEPT; iptables -w -I FORWARD -d 10.244.0.0/16 " +
      "-m comment --comment deno-cni -j ACCEPT; " +
      "iptables -w -D FORWARD -s 10.0.1.0/24 -m comment --comment deno-cni " +
      "-j ACCEPT; iptables -w -D FORWARD -d 10.0.1.0/24 -m comment --comment " +
      "deno-cni -j ACCEPT",
    shows: ["iptables -w -S FORWARD", "-s 10.0.1.0/24"],
  },
  {
    number: 2,
    node: "worker-2",
    stage: "08-routes",
    kind: "route",
    byHand: "ip route replace 10.244.1.0/24 via 10.0.1.11 proto 244",
    shows: ["ip route", "10.244.1.0/24 via 10.0.1.1 "],
  },
  {
    number: 3,
    node: "worker-1",
    stage: "07-masquerade",
    kind: "masquerade",
    byHand: "iptables -w -t nat -F POSTROUTING; iptables -w -t nat " +
      "-A POSTROUTING -s 10.244.1.0/24 ! -d 10.244.0.0/16 ! -o cni0 " +
      "-m comment --comment deno-cni -j MASQUERADE",
    shows: [
      "iptables -w -t nat -S POSTROUTING",
      "-s 10.244.1.0/24 ! -o cni0 -j MASQUERADE",
    ],
  },
];

/** What is told of a check: the exit code, and what is still wrong. */
export async function check(
  lab: TestLab,
  number: number,
): Promise<{ readonly code: number | undefined; readonly problems: string }> {
  const { code, stdout, stderr } = await lab.script(
    "exercise",
    `${number}-check`,
    "-o",
    "json",
  );
  const told = JSON.parse(stdout || "{}");
  assertEquals(told.solved, code === 0, stdout + stderr);
  return { code, problems: told.problems.join("\n") };
}

/** Runs a line for a shell on a node. */
export async function shell(
  lab: TestLab,
  node: string,
  line: string,
): Promise<string> {
  return await lab.on(node, cmd`sh -c ${line}`);
}
