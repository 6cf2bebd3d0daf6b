// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import { formatAddress } from "../address/address.ts";
import { type Store, withStore } from "./leases.ts";
import { code } from "../cni/protocol.ts";
import {
  type Answer,
  type Call,
  network,
  ownerOf,
  pools,
} from "./store_testing.ts";

const here = import.meta.dirname!;

async function inFolder(
  body: (dataDir: string) => Promise<void>,
): Promise<void> {
  const dataDir = Deno.makeTempDirSync({ prefix: "leases-" });
  try {
    await body(dataDir);
  } finally {
    Deno.removeSync(dataDir, { recursive: true });
  }
}

/** The command that makes calls in a process of its own. */
function processArgs(dataDir: string, calls: readonly Call[]): string[] {
  return [
    "run",
    "--allow-all",
    "--no-check",
    "--quiet",
    `--import-map=${here}/../linux/failpoint_testing.json`,
    `${here}/store_testing.ts`,
    dataDir,
    JSON.stringify(calls),
  ];
}

interface Outcome {
  signal: Deno.Signal | null;
  answers: Answer[];
}

async function run(
  dataDir: string,
  calls: readonly Call[],
  env: Record<string, string> = {},
): Promise<Outcome> {
  const { signal, stdout, stderr, code: exit } = await new Deno.Command(
    Deno.execPath(),
    { args: processArgs(dataDir, calls), env },
  ).output();
  if (exit !== 0 && signal === null) {
    throw new Error(new TextDecoder().decode(stderr));
  }
  return { signal, answers: answersIn(stdout) };
}

function answersIn(stdout: Uint8Array): Answer[] {
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line)
    .map((line) => JSON.parse(line));
}

const use = <T>(dataDir: string, body: (store: Store) => T) =>
  withStore({ dataDir, network }, body);

const namesIn = (folder: string) =>
  [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

/** What GC does with an empty list of valid attachments. */
function collectAll(store: Store): void {
  for (const { address, owner } of store.all()) {
    if (owner === undefined) store.discard(address);
    else store.release(owner);
  }
}

/** Nothing is left but the turn, the lock, and the index's state. */
function assertEmpty(dataDir: string, what: string): void {
  const left = namesIn(`${dataDir}/${network}`)
    .filter((name) => !name.startsWith("last_reserved_ip."));
  assertEquals(left, ["lock"], what);
  const index = `${dataDir}/.deno-cni/${network}`;
  assertEquals(namesIn(index), ["attachments", "taken"], what);
  assertEquals(namesIn(`${index}/attachments`), ["state"], what);
  assertEquals(namesIn(`${index}/taken`), [], what);
}

/** Stores in which the victim's call is cut off. */
const beginnings: Record<string, (dataDir: string) => void> = {
  "a store that is not there yet": () => {},
  "a store with leases": (dataDir) => {
    use(dataDir, (store) => store.reserve(ownerOf("other"), pools));
  },
  "a store that someone else changed": (dataDir) => {
    use(dataDir, (store) => store.reserve(ownerOf("other"), pools));
    const lease = `${dataDir}/${network}/10.244.1.9`;
    Deno.writeTextFileSync(lease, "theirs\r\neth0");
  },
};

/** Has a call die at each of its points, and hands over what is left. */
async function dieEverywhere(
  prepare: (dataDir: string) => void,
  call: Call,
  inspect: (dataDir: string, where: string) => void,
): Promise<number> {
  let points: string[] = [];
  await inFolder(async (dataDir) => {
    prepare(dataDir);
    const log = `${dataDir}.log`;
    try {
      await run(dataDir, [call], { CNI_FAULT_LOG: log });
      points = Deno.readTextFileSync(log).trim().split("\n");
    } finally {
      Deno.removeSync(log);
    }
  });
  for (const [i, name] of points.entries()) {
    await inFolder(async (dataDir) => {
      prepare(dataDir);
      const at = String(i + 1);
      const { signal } = await run(dataDir, [call], { CNI_FAULT_AT: at });
      const where = `${call.do}, killed at point ${at}, "${name}"`;
      assertEquals(signal, "SIGKILL", where);
      inspect(dataDir, where);
    });
  }
  return points.length;
}

for (const [beginning, prepare] of Object.entries(beginnings)) {
  Deno.test(`reserve killed at any point, in ${beginning}: no address twice, and DEL cleans up`, async () => {
    const call: Call = { do: "reserve", pod: "victim" };
    const points = await dieEverywhere(prepare, call, (dataDir, where) => {
      use(dataDir, (store) => {
        const before = store.all().map(({ address }) => formatAddress(address));
        const taken = store.reserve(ownerOf("next"), pools).map(formatAddress);
        assert(!taken.some((address) => before.includes(address)), where);
        store.release(ownerOf("victim"));
        assertEquals(store.held(ownerOf("victim")), [], where);
        assertEquals(store.held(ownerOf("next")).map(formatAddress), taken);
        for (const { owner } of store.all()) {
          assert(owner !== undefined && owner.containerID !== "victim", where);
        }
        // An ADD of the same attachment after its DEL, as a runtime may try.
        store.reserve(ownerOf("victim"), pools);
        for (const pod of ["victim", "next", "other", "theirs"]) {
          store.release(ownerOf(pod));
        }
      });
      assertEmpty(dataDir, where);
    });
    assert(points >= 9, `only ${points} points`);
  });

  Deno.test(`reserve killed at any point, in ${beginning}: GC cleans up where no DEL comes`, async () => {
    const call: Call = { do: "reserve", pod: "victim" };
    await dieEverywhere(prepare, call, (dataDir, where) => {
      use(dataDir, (store) => {
        collectAll(store);
        assertEquals(store.all(), [], where);
        store.reserve(ownerOf("last"), pools);
        store.release(ownerOf("last"));
      });
      assertEmpty(dataDir, where);
    });
  });
}

Deno.test("release killed at any point: another release ends it, and the pod's neighbour keeps its own", async () => {
  const prepare = (dataDir: string) =>
    use(dataDir, (store) => {
      store.reserve(ownerOf("victim"), pools);
      store.reserve(ownerOf("other"), pools);
    });
  const call: Call = { do: "release", pod: "victim" };
  const points = await dieEverywhere(prepare, call, (dataDir, where) => {
    use(dataDir, (store) => {
      store.release(ownerOf("victim"));
      assertEquals(store.held(ownerOf("victim")), [], where);
      assertEquals(store.held(ownerOf("other")).length, 2, where);
      assertEquals(store.all().length, 2, where);
      store.release(ownerOf("other"));
    });
    assertEmpty(dataDir, where);
  });
  assert(points >= 5, `only ${points} points`);
});

Deno.test("processes at once get distinct addresses", async () => {
  await inFolder(async (dataDir) => {
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, p) =>
        run(
          dataDir,
          Array.from({ length: 20 }, (_, n) => ({
            do: "reserve" as const,
            pod: `pod-${p}-${n}`,
          })),
        )),
    );
    const taken = outcomes.flatMap(({ answers }) => answers).flat();
    assertEquals(taken.length, 400);
    assertEquals(new Set(taken).size, 400);
    use(dataDir, (store) => {
      assertEquals(store.all().length, 400);
      collectAll(store);
    });
    assertEmpty(dataDir, "after GC");
  });
});

Deno.test("processes killed at random moments: nobody's lease is touched, and GC leaves nothing", async () => {
  await inFolder(async (dataDir) => {
    const killed = async (n: number) => {
      const child = new Deno.Command(Deno.execPath(), {
        args: processArgs(dataDir, [
          { do: "churn", pods: `victim-${n}`, times: 100_000 },
        ]),
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      await new Promise((done) => setTimeout(done, 60 + Math.random() * 60));
      child.kill("SIGKILL");
      const { stdout } = await child.output();
      assertEquals(answersIn(stdout), []);
    };
    const witness = run(dataDir, [
      { do: "churn", pods: "witness", times: 2000 },
    ]);
    for (let n = 0; n < 40; n += 2) {
      await Promise.all([killed(n), killed(n + 1)]);
    }
    assertEquals((await witness).answers, [[]]);
    use(dataDir, (store) => {
      // A victim dies with at most one pod's addresses in hand.
      assert(store.all().length <= 80, `${store.all().length} leases`);
      collectAll(store);
      assertEquals(store.all(), []);
      store.reserve(ownerOf("last"), pools);
      store.release(ownerOf("last"));
    });
    assertEmpty(dataDir, "after GC");
  });
});

Deno.test("whoever waited for the lock of a folder that was removed locks the new one", async () => {
  await inFolder(async (dataDir) => {
    const folder = `${dataDir}/${network}`;
    Deno.mkdirSync(folder);
    const lock = Deno.openSync(`${folder}/lock`, { create: true, write: true });
    lock.lockSync(true);
    const waiting = run(dataDir, [{ do: "reserve", pod: "waits" }]);
    await new Promise((done) => setTimeout(done, 400));
    Deno.removeSync(folder, { recursive: true });
    lock.close();
    assertEquals((await waiting).answers[0], ["10.244.1.2", "fd00:0:0:1::2"]);
    assert(namesIn(folder).includes("10.244.1.2"));
  });
});

/** Makes calls on a tmpfs that a shell script prepares, in a mount namespace of its own. */
async function onTmpfs(
  options: string,
  calls: readonly Call[],
  before = ":",
): Promise<Answer[]> {
  const mount = Deno.makeTempDirSync({ prefix: "leases-" });
  try {
    const script =
      `mount -t tmpfs -o ${options} none "$0" && ${before} && exec "$@"`;
    const { stdout, stderr, success } = await new Deno.Command("unshare", {
      args: [
        ...["--mount", "sh", "-c", script, mount, Deno.execPath()],
        ...processArgs(mount, calls),
      ],
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return answersIn(stdout);
  } finally {
    Deno.removeSync(mount);
  }
}

const notRoot = Deno.uid() !== 0;
const podNumbers = Array.from({ length: 30 }, (_, n) => n);
const reserves = podNumbers.map((n): Call => ({
  do: "reserve",
  pod: `pod-${n}`,
}));
const releases = podNumbers.map((n): Call => ({
  do: "release",
  pod: `pod-${n}`,
}));

for (
  const [what, options] of [["bytes", "size=48k"], ["inodes", "nr_inodes=40"]]
) {
  Deno.test({
    name:
      `a disk out of ${what}: ADD says ENOSPC and takes nothing, DEL works, ADD works again (needs root)`,
    ignore: notRoot,
    fn: async () => {
      const answers = await onTmpfs(options!, [
        ...reserves,
        { do: "held", pod: "pod-29" },
        ...releases,
        { do: "reserve", pod: "after" },
      ]);
      const added = answers.slice(0, 30);
      const taken = added.filter((answer) => Array.isArray(answer));
      assert(taken.length > 0 && taken.length < 30, `${taken.length} of 30`);
      for (const failed of added.slice(taken.length)) {
        assert(!Array.isArray(failed), JSON.stringify(failed));
        assertEquals(failed.code, code.io);
        assertMatch(failed.message, /^Cannot (write|link|make) .*: ENOSPC$/);
        assertMatch(failed.details, /free space or inodes/);
      }
      assertEquals(answers[30], []);
      assertEquals(answers.slice(31, 61), [
        ...taken,
        ...Array(30 - taken.length).fill([]),
      ]);
      assert(Array.isArray(answers[61]), JSON.stringify(answers[61]));
    },
  });
}

Deno.test({
  name:
    "a full disk on which not even an index can be made: DEL gives back all the same, ADD says ENOSPC (needs root)",
  ignore: notRoot,
  fn: async () => {
    const answers = await onTmpfs("size=96k", [
      ...reserves.slice(0, 5),
      { do: "fill the disk and lose the index" },
      { do: "reserve", pod: "late" },
      { do: "held", pod: "pod-3" },
      { do: "release", pod: "pod-3" },
    ]);
    assertEquals(answers[5], ["ENOSPC"]);
    const late = answers[6]!;
    assert(!Array.isArray(late));
    assertMatch(late.message, /ENOSPC/);
    assertEquals(answers.slice(7), [answers[3]!, answers[3]!]);
  },
});

Deno.test({
  name:
    "a read-only disk is an error of code 5 that names EROFS and what to do (needs root)",
  ignore: notRoot,
  fn: async () => {
    const answers = await onTmpfs(
      "size=1m",
      [{ do: "reserve", pod: "a" }, { do: "release", pod: "a" }],
      'mount -o remount,ro "$0"',
    );
    for (const answer of answers) {
      assert(!Array.isArray(answer));
      assertEquals(answer.code, code.io);
      assertMatch(answer.message, /EROFS/);
      assertMatch(answer.details, /dataDir/);
    }
    assertEquals(answers.length, 2);
  },
});
