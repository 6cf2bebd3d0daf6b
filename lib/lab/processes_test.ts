// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import {
  membersOf,
  type Mounts,
  parseBirth,
  parseMounts,
  parseStat,
  type Process,
  type ProcessSnapshot,
} from "./processes.ts";

function process(pid: number, more: Partial<Process> = {}): Process {
  return {
    pid,
    parent: 1,
    command: "sh",
    state: "S",
    start: "100",
    owner: 0,
    net: "net:[1]",
    mnt: "mnt:[1]",
    ...more,
  };
}

function snapshot(
  processes: readonly Process[],
  mounts: Readonly<Record<string, Mounts>> = {},
): ProcessSnapshot {
  return {
    processes,
    mounts: new Map(Object.entries(mounts)),
    foreign: new Set(["net:[1]"]),
    self: 99,
  };
}

function pids(processes: readonly Process[]): number[] {
  return processes.map(({ pid }) => pid).toSorted((a, b) => a - b);
}

Deno.test("parseStat() reads a command with spaces and parentheses in its name", () => {
  const line = "4242 (a) (b c) S 17 4242 4242 0 -1 4194560 100 0 0 0 1 2 " +
    "0 0 20 0 1 0 987654 1000 200 18446744073709551615";
  assertEquals(parseStat(line), {
    pid: 4242,
    command: "a) (b c",
    state: "S",
    parent: 17,
    start: "987654",
  });
});

Deno.test("parseStat() gives nothing for a line that was cut off", () => {
  assertEquals(parseStat(""), undefined);
  assertEquals(parseStat("17 (sh) S 1 2 3"), undefined);
});

Deno.test("parseMounts() finds a machine's tmpfs and the network namespaces that are bound there", () => {
  const text = `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
100 36 0:50 /run /run rw,relatime - tmpfs deno-cni:lab-1/worker-1 rw,mode=755
101 100 0:4 net:[4026532345] /run/netns/shell rw shared:9 - nsfs nsfs rw
102 100 0:4 mnt:[4026532346] /run/x rw - nsfs nsfs rw
103 100 0:51 / /tmp rw - tmpfs tmpfs rw
`;
  assertEquals(parseMounts(text), {
    machine: "lab-1/worker-1",
    nets: ["net:[4026532345]"],
  });
});

Deno.test("parseMounts() finds nothing in the mounts of another machine", () => {
  assertEquals(parseMounts("22 1 0:20 / /run rw - tmpfs tmpfs rw\n\n"), {
    nets: [],
  });
});

Deno.test("parseBirth() names the machine that is being made", () => {
  const birth = "sh\0/x/lib/lab/machine.sh\0node\0lab-1\0worker-1\0more\0";
  assertEquals(parseBirth(birth), "lab-1/worker-1");
  assertEquals(parseBirth("vi\0/x/lib/lab/machine.sh\0"), undefined);
  assertEquals(parseBirth("sh\0-c\0x\0y\0"), undefined);
  assertEquals(parseBirth(""), undefined);
});

Deno.test("membersOf() takes holders, what entered, and all their descendants", () => {
  const all = snapshot([
    process(1),
    process(10, { holds: "lab-1/worker-1", net: "net:[2]", mnt: "mnt:[2]" }),
    process(11, { entered: "lab-1/worker-1" }),
    process(12, { parent: 11, net: "net:[7]", mnt: "mnt:[7]" }),
    process(13, { parent: 12, net: "net:[8]", mnt: "mnt:[8]" }),
    process(20),
  ]);
  assertEquals(pids(membersOf(all, "lab-1")), [10, 11, 12, 13]);
});

Deno.test("membersOf() leaves another lab alone, also one whose name begins alike", () => {
  const all = snapshot([
    process(10, { holds: "lab-1/worker-1", net: "net:[2]" }),
    process(11, { holds: "lab-10/worker-1", net: "net:[3]" }),
    process(12, { holds: "lab/worker-1", net: "net:[4]" }),
    process(13, { net: "net:[3]" }),
  ]);
  assertEquals(pids(membersOf(all, "lab-1")), [10]);
});

Deno.test("membersOf() knows a process without a mark by the mounts it is among", () => {
  const all = snapshot([
    process(10, { mnt: "mnt:[2]", net: "net:[2]" }),
    process(11, { mnt: "mnt:[3]", net: "net:[3]" }),
  ], {
    "mnt:[2]": { machine: "lab-1/worker-1", nets: ["net:[9]"] },
    "mnt:[3]": { nets: [] },
  });
  assertEquals(pids(membersOf(all, "lab-1")), [10]);
});

Deno.test("membersOf() knows a container by its pod's network namespace, which its node's mounts name", () => {
  const all = snapshot([
    process(10, { holds: "lab-1/worker-1", net: "net:[2]", mnt: "mnt:[2]" }),
    process(11, { net: "net:[9]", mnt: "mnt:[7]" }),
    process(12, { net: "net:[2]", mnt: "mnt:[8]" }),
  ], { "mnt:[2]": { machine: "lab-1/worker-1", nets: ["net:[9]"] } });
  assertEquals(pids(membersOf(all, "lab-1")), [10, 11, 12]);
});

Deno.test("membersOf() never takes the machine's own network namespace for a pod's", () => {
  const all = snapshot([
    process(10, { holds: "lab-1/worker-1", net: "net:[2]", mnt: "mnt:[2]" }),
    process(20, { net: "net:[1]" }),
  ], { "mnt:[2]": { machine: "lab-1/worker-1", nets: ["net:[1]"] } });
  assertEquals(pids(membersOf(all, "lab-1")), [10]);
});

Deno.test("membersOf() of one machine leaves the lab's others running", () => {
  const all = snapshot([
    process(10, { holds: "lab-1/worker-1", net: "net:[2]", mnt: "mnt:[2]" }),
    process(11, { holds: "lab-1/worker-2", net: "net:[3]", mnt: "mnt:[3]" }),
    process(12, { entered: "lab-1/worker-2" }),
    process(13, { net: "net:[3]" }),
  ], {
    "mnt:[2]": { machine: "lab-1/worker-1", nets: ["net:[3]"] },
    "mnt:[3]": { machine: "lab-1/worker-2", nets: [] },
  });
  assertEquals(pids(membersOf(all, "lab-1", "worker-1")), [10]);
});

Deno.test("membersOf() bears processes whose namespaces this user may not see", () => {
  const all = snapshot([{
    pid: 5,
    parent: 1,
    command: "sshd",
    state: "S",
    start: "1",
    owner: 0,
  }]);
  assertEquals(membersOf(all, "lab-1"), []);
});
