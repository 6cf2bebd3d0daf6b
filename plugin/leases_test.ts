// @ts-types="../lib/std/assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { formatAddress, parseAddress, parseSubnet } from "./address.ts";
import { FileError } from "./files.ts";
import {
  type Owner,
  type Pool,
  type Store,
  storeState,
  withStore,
} from "./leases.ts";
import { CniError, code } from "./protocol.ts";

const network = "podnet";

function pool(subnet: string, ...excluded: string[]): Pool {
  const parsed = parseSubnet(subnet);
  return {
    subnet: parsed,
    rangeIndex: parsed.family === 4 ? 0 : 1,
    excluded: excluded.map(parseAddress),
  };
}

const small = [pool("10.244.1.0/29", "10.244.1.1")];
const dual = [
  pool("10.244.1.0/24", "10.244.1.1"),
  pool("fd00:0:0:1::/64", "fd00:0:0:1::1"),
];
const pod = (n: number | string, ifname = "eth0"): Owner => ({
  containerID: `pod-${n}`,
  ifname,
});

/** A store in a folder of its own, gone afterwards. */
function inStore(
  body: (use: <T>(body: (store: Store) => T) => T, dataDir: string) => void,
): void {
  const dataDir = Deno.makeTempDirSync({ prefix: "leases-" });
  try {
    body((use) => withStore({ dataDir, network }, use), dataDir);
  } finally {
    Deno.removeSync(dataDir, { recursive: true });
  }
}

const texts = (addresses: readonly { family: 4 | 6; value: bigint }[]) =>
  addresses.map(formatAddress);

/** Everything in the store's folder and what it holds. */
function files(dataDir: string): Record<string, string> {
  const folder = `${dataDir}/${network}`;
  const found: Record<string, string> = {};
  for (const { name } of Deno.readDirSync(folder)) {
    found[name] = Deno.readTextFileSync(`${folder}/${name}`);
  }
  return found;
}

/** What a lease or a cursor is for someone who writes it by hand. */
function put(dataDir: string, name: string, text: string): void {
  Deno.mkdirSync(`${dataDir}/${network}`, { recursive: true });
  Deno.writeTextFileSync(`${dataDir}/${network}/${name}`, text);
}

Deno.test("reserve() hands out the first address after the gateway, then the next, then the next", () => {
  inStore((use) => {
    const got = [1, 2, 3].map((n) =>
      use((store) => texts(store.reserve(pod(n), small)))
    );
    assertEquals(got, [["10.244.1.2"], ["10.244.1.3"], ["10.244.1.4"]]);
  });
});

Deno.test("the store's files are those of host-local, to the byte", () => {
  inStore((use, dataDir) => {
    use((store) => store.reserve(pod(1), dual));
    assertEquals(files(dataDir), {
      "10.244.1.2": "pod-1\r\neth0",
      "fd00:0:0:1::2": "pod-1\r\neth0",
      "last_reserved_ip.0": "10.244.1.2",
      "last_reserved_ip.1": "fd00:0:0:1::2",
      "lock": "",
    });
  });
});

Deno.test("release() frees only what the attachment holds: not .20 for .2, not eth1 for eth0, not another pod's", () => {
  inStore((use, dataDir) => {
    use((store) => {
      for (let n = 2; n <= 30; n++) store.reserve(pod(n), dual);
      store.reserve(pod(2, "eth1"), dual);
      assertEquals(texts(store.release(pod(2))), [
        "10.244.1.2",
        "fd00:0:0:1::2",
      ]);
      assertEquals(texts(store.held(pod(20))), [
        "10.244.1.20",
        "fd00:0:0:1::14",
      ]);
      assertEquals(texts(store.held(pod(2, "eth1")))[0], "10.244.1.31");
      assertEquals(store.held(pod(2)), []);
    });
    assertEquals(Object.keys(files(dataDir)).length, 2 * 29 + 3);
  });
});

Deno.test("release() of what is not held gives [], however often", () => {
  inStore((use) => {
    for (let i = 0; i < 3; i++) {
      assertEquals(use((store) => store.release(pod("none"))), []);
    }
    use((store) => store.reserve(pod(1), small));
    assertEquals(texts(use((store) => store.release(pod(1)))), ["10.244.1.2"]);
    assertEquals(use((store) => store.release(pod(1))), []);
  });
});

Deno.test("an address given back is not the next one handed out", () => {
  inStore((use) => {
    use((store) => {
      store.reserve(pod(1), small);
      store.release(pod(1));
      assertEquals(texts(store.reserve(pod(2), small)), ["10.244.1.3"]);
    });
  });
});

Deno.test("an address given back rests even where its turn is next, until it is the only one", () => {
  inStore((use) => {
    use((store) => {
      store.reserve(pod(1), small);
      store.reserve(pod("wants"), small, [parseAddress("10.244.1.3")]);
    });
    use((store) => store.release(pod("wants")));
    use((store) => {
      assertEquals(texts(store.reserve(pod(2), small)), ["10.244.1.4"]);
      store.reserve(pod(3), small);
      store.reserve(pod(4), small);
      // Round again: .2 is held, .3 rests and is the only one.
      assertEquals(texts(store.reserve(pod(5), small)), ["10.244.1.3"]);
    });
  });
});

Deno.test("a wanted address is given, also out of turn, and does not move the turn", () => {
  inStore((use, dataDir) => {
    use((store) => {
      const wanted = ["fd00:0:0:1::abcd", "10.244.1.77"].map(parseAddress);
      assertEquals(texts(store.reserve(pod(1), dual, wanted)), [
        "10.244.1.77",
        "fd00:0:0:1::abcd",
      ]);
      assertEquals(texts(store.reserve(pod(2), dual)), [
        "10.244.1.2",
        "fd00:0:0:1::2",
      ]);
    });
    assert("fd00:0:0:1::abcd" in files(dataDir));
  });
});

Deno.test("a wanted address that another holds is refused with the holder's name, and nothing is taken", () => {
  inStore((use, dataDir) => {
    use((store) => store.reserve(pod(1), dual));
    const before = files(dataDir);
    const wanted = ["10.244.1.9", "fd00:0:0:1::2"].map(parseAddress);
    const error = assertThrows(
      () => use((store) => store.reserve(pod(2), dual, wanted)),
      CniError,
      "Cannot give fd00:0:0:1::2: pod-1 eth0 holds it",
    );
    assertEquals(error.code, code.addressTaken);
    assertEquals(files(dataDir), before);
    assertEquals(use((store) => store.held(pod(2))), []);
  });
});

Deno.test("a wanted address that no pod may have is refused before anything is taken", () => {
  inStore((use, dataDir) => {
    const table: [string, string][] = [
      ["10.9.9.9", "it is not in 10.244.1.0/24 or fd00:0:0:1::/64"],
      ["10.244.1.0", "it is the network's or the broadcast address of"],
      ["10.244.1.255", "it is the network's or the broadcast address of"],
      ["fd00:0:0:1::", "it is the network's or the broadcast address of"],
      ["10.244.1.1", "it is the gateway of 10.244.1.0/24"],
    ];
    for (const [text, reason] of table) {
      assertThrows(
        () => use((store) => store.reserve(pod(1), dual, [parseAddress(text)])),
        CniError,
        `Cannot give ${text}: ${reason}`,
      );
    }
    const two = ["10.244.1.5", "10.244.1.6"].map(parseAddress);
    assertThrows(
      () => use((store) => store.reserve(pod(1), dual, two)),
      CniError,
      "10.244.1.5 is asked for too",
    );
    assertEquals(Object.keys(files(dataDir)), ["lock"]);
  });
});

Deno.test("an attachment that holds an address gets no second one, and is told to DEL first", () => {
  inStore((use, dataDir) => {
    use((store) => store.reserve(pod(1), dual));
    const before = files(dataDir);
    const error = assertThrows(
      () => use((store) => store.reserve(pod(1), dual)),
      CniError,
      "pod-1 eth0: it holds 10.244.1.2 and fd00:0:0:1::2 already",
    );
    assertEquals(error.code, code.leaseHeld);
    assertEquals(error.details, "Call DEL for it before another ADD");
    assertEquals(files(dataDir), before);
    assertEquals(
      texts(use((store) => store.reserve(pod(1, "eth1"), dual)))[0],
      "10.244.1.3",
    );
  });
});

Deno.test("a full pool is said to be full, takes nothing from the other pool, and serves again after a release", () => {
  inStore((use, dataDir) => {
    const both = [dual[1]!, small[0]!];
    use((store) => {
      for (let n = 0; n < 5; n++) store.reserve(pod(n), both);
    });
    const before = files(dataDir);
    const error = assertThrows(
      () => use((store) => store.reserve(pod("late"), both)),
      CniError,
      "Cannot take an address from 10.244.1.0/29: all 5 are taken",
    );
    assertEquals(error.code, code.subnetFull);
    const { "last_reserved_ip.1": _, ...rest } = files(dataDir);
    const { "last_reserved_ip.1": __, ...expected } = before;
    assertEquals(rest, expected);
    use((store) => store.release(pod(3)));
    assertEquals(
      texts(use((store) => store.reserve(pod("late"), both)))[1],
      "10.244.1.5",
    );
  });
});

Deno.test("a store that someone else wrote is taken over: leases, turn, and attachments to release", () => {
  inStore((use, dataDir) => {
    put(dataDir, "10.244.1.2", "theirs\r\neth0");
    put(dataDir, "10.244.1.3", "theirs\r\nnet1");
    put(dataDir, "last_reserved_ip.0", "10.244.1.3");
    use((store) => {
      assertThrows(
        () => store.reserve({ containerID: "theirs", ifname: "net1" }, small),
        CniError,
        "it holds 10.244.1.3 already",
      );
      assertEquals(texts(store.reserve(pod(1), small)), ["10.244.1.4"]);
      const theirs = { containerID: "theirs", ifname: "eth0" };
      assertEquals(texts(store.release(theirs)), ["10.244.1.2"]);
    });
  });
});

Deno.test("what someone else adds and removes between two calls is noticed", () => {
  inStore((use, dataDir) => {
    use((store) => store.reserve(pod(1), small));
    put(dataDir, "10.244.1.3", "theirs\r\neth0");
    assertEquals(
      texts(use((store) => store.reserve(pod(2), small))),
      ["10.244.1.4"],
    );
    const theirs = { containerID: "theirs", ifname: "eth0" };
    assertEquals(texts(use((store) => store.held(theirs))), ["10.244.1.3"]);

    Deno.removeSync(`${dataDir}/${network}/10.244.1.2`);
    assertEquals(use((store) => store.release(pod(1))), []);
    put(dataDir, "10.244.1.3", "others\r\neth0");
    assertEquals(use((store) => store.release(theirs)), []);
    assert("10.244.1.3" in files(dataDir));
  });
});

Deno.test("a lease replaced by another's of the same address is noticed, with the folder's old time as well", () => {
  inStore((use, dataDir) => {
    use((store) => store.reserve(pod(1), small));
    const folder = `${dataDir}/${network}`;
    const then = Deno.statSync(folder).mtime!;
    Deno.removeSync(`${folder}/10.244.1.2`);
    put(dataDir, "10.244.1.2", "theirs\r\neth0");
    Deno.utimeSync(folder, then, then);
    // Worse than any change: one that cannot be seen. What is read is still held against the lease.
    assertEquals(use((store) => store.release(pod(1))), []);
    assertEquals(files(dataDir)["10.244.1.2"], "theirs\r\neth0");
  });
});

Deno.test("an address taken behind the index's back is not handed out again", () => {
  inStore((use, dataDir) => {
    use((store) => store.reserve(pod(1), small));
    const folder = `${dataDir}/${network}`;
    const then = Deno.statSync(folder).mtime!;
    put(dataDir, "10.244.1.3", "theirs\r\neth0");
    Deno.utimeSync(folder, then, then);
    use((store) => {
      assertEquals(texts(store.reserve(pod(2), small)), ["10.244.1.4"]);
      assertEquals(texts(store.held(pod(2))), ["10.244.1.4"]);
    });
  });
});

Deno.test("a pool is not called full for what the index says alone", () => {
  inStore((use, dataDir) => {
    use((store) => store.reserve(pod(1), small));
    const block = `${dataDir}/.deno-cni/${network}/taken/4-af40`;
    Deno.writeFileSync(block, new Uint8Array(512).fill(0xff));
    assertEquals(storeState({ dataDir, network }, small), { hasFree: [true] });
    assertEquals(
      texts(use((store) => store.reserve(pod(2), small))),
      ["10.244.1.3"],
    );
  });
});

Deno.test("a change is noticed though the clock stands at the very second of the index, or jumps back to it", () => {
  inStore((use, dataDir) => {
    const folder = `${dataDir}/${network}`;
    for (const year of [1970, 2001, 2024, 2038]) {
      use((store) => store.reserve(pod(year), dual));
      const ours = Deno.statSync(folder).mtime!;
      assert(ours < new Date("2019-01-01"), String(ours));
      put(dataDir, `10.244.1.${100 + year % 100}`, `at-${year}\r\neth0`);
      const clock = new Date(`${year}-06-01T12:00:00.004Z`);
      Deno.utimeSync(folder, clock, clock);
      const theirs = { containerID: `at-${year}`, ifname: "eth0" };
      assertEquals(use((store) => store.release(theirs)).length, 1);
    }
  });
});

Deno.test("an index that was removed, or holds rubbish, is made anew", () => {
  inStore((use, dataDir) => {
    const index = `${dataDir}/.deno-cni/${network}`;
    const spoil: (() => void)[] = [
      () => Deno.removeSync(`${dataDir}/.deno-cni`, { recursive: true }),
      () => Deno.removeSync(`${index}/attachments`, { recursive: true }),
      () => Deno.removeSync(`${index}/taken`, { recursive: true }),
      () => Deno.writeTextFileSync(`${index}/attachments/state`, ""),
      () =>
        Deno.writeTextFileSync(
          `${index}/attachments/state`,
          "1 x complete  \n",
        ),
      () => Deno.writeTextFileSync(`${index}/taken/4-af40`, "short"),
      () => Deno.writeTextFileSync(`${index}/new`, "left behind"),
    ];
    const seen = new Set<string>();
    for (const [n, harm] of spoil.entries()) {
      const [address] = texts(use((store) => store.reserve(pod(n), dual)));
      assert(!seen.has(address!), `${address} twice`);
      seen.add(address!);
      harm();
    }
    // What is believed wrongly for want of a sign is put right by the first sign of it.
    Deno.removeSync(`${index}/attachments/state`);
    for (const n of spoil.keys()) {
      assertEquals(use((store) => store.release(pod(n))).length, 2, `pod-${n}`);
    }
  });
});

Deno.test("a store whose folder was removed starts anew", () => {
  inStore((use, dataDir) => {
    use((store) => store.reserve(pod(1), small));
    Deno.removeSync(`${dataDir}/${network}`, { recursive: true });
    assertEquals(use((store) => store.held(pod(1))), []);
    assertEquals(
      texts(use((store) => store.reserve(pod(2), small))),
      // .2 rests no longer: it is not known that it was given back.
      ["10.244.1.2"],
    );
  });
});

Deno.test("a lease of the oldest format, a containerID alone, belongs to all interfaces of the container", () => {
  inStore((use, dataDir) => {
    put(dataDir, "10.244.1.2", "old\n");
    use((store) => {
      const old = { containerID: "old", ifname: "eth0" };
      assertEquals(texts(store.held(old)), ["10.244.1.2"]);
      assertEquals(store.all()[0]?.owner, { containerID: "old", ifname: "" });
      assertEquals(texts(store.release(old)), ["10.244.1.2"]);
      assertEquals(store.release(old), []);
    });
  });
});

Deno.test("empty and garbled files wedge nothing: passed over, seen by all(), gone by discard()", () => {
  inStore((use, dataDir) => {
    put(dataDir, "10.244.1.2", "");
    put(dataDir, "10.244.1.3", "\0\0\0\xff");
    put(dataDir, "10.244.1.4", "a b\r\neth0");
    put(dataDir, "note.txt", "not ours");
    Deno.mkdirSync(`${dataDir}/${network}/10.244.1.5`);
    use((store) => {
      assertEquals(texts(store.reserve(pod(1), small)), ["10.244.1.6"]);
      const leases = store.all().map(({ address, owner }) =>
        [formatAddress(address), owner?.containerID] as const
      );
      assertEquals(
        leases.sort((a, b) => a[0] < b[0] ? -1 : 1),
        [
          ["10.244.1.2", undefined],
          ["10.244.1.3", undefined],
          ["10.244.1.4", undefined],
          ["10.244.1.5", undefined],
          ["10.244.1.6", "pod-1"],
        ],
      );
      for (const { address, owner } of store.all()) {
        if (owner === undefined) store.discard(address);
      }
      assertEquals(store.all().length, 1);
      assertEquals(texts(store.reserve(pod(2), small)), ["10.244.1.2"]);
    });
    assertEquals(files(dataDir)["note.txt"], "not ours");
  });
});

Deno.test("a pool that is full but for empty files gives those out, and names the garbled ones", () => {
  inStore((use, dataDir) => {
    for (const n of [2, 3, 4]) put(dataDir, `10.244.1.${n}`, `p${n}\r\neth0`);
    put(dataDir, "10.244.1.5", "");
    put(dataDir, "10.244.1.6", "?!");
    const options = { dataDir, network };
    assertEquals(storeState(options, small), { hasFree: [true] });
    assertEquals(
      texts(use((store) => store.reserve(pod(1), small))),
      ["10.244.1.5"],
    );
    assertEquals(storeState(options, small), { hasFree: [false] });
    assertThrows(
      () => use((store) => store.reserve(pod(2), small)),
      CniError,
      "all 5 are taken, 1 of them by files that name no attachment (10.244.1.6)",
    );
    put(dataDir, "10.244.1.4", "");
    const wanted = [parseAddress("10.244.1.4")];
    use((store) => store.reserve(pod(3), small, wanted));
    assertEquals(files(dataDir)["10.244.1.4"], "pod-3\r\neth0");
  });
});

Deno.test("discard() removes one lease of an attachment and leaves the other", () => {
  inStore((use) => {
    use((store) => {
      const [first, second] = store.reserve(pod(1), dual);
      store.discard(first!);
      assertEquals(store.held(pod(1)), [second!]);
      store.discard(first!);
      assertEquals(store.release(pod(1)), [second!]);
    });
  });
});

Deno.test("a cursor that is garbled, foreign or out of the pool only loses its place", () => {
  for (const text of ["", "rubbish", "10.9.9.9", "fd00::1", "10.244.1.7"]) {
    inStore((use, dataDir) => {
      put(dataDir, "last_reserved_ip.0", text);
      assertEquals(
        texts(use((store) => store.reserve(pod(1), small))),
        ["10.244.1.2"],
        text,
      );
    });
  }
});

Deno.test("containerIDs of every length the spec allows are served", () => {
  inStore((use) => {
    for (const length of [1, 64, 238, 239, 240, 255, 1000]) {
      const owner = { containerID: "c".repeat(length), ifname: "e".repeat(15) };
      use((store) => assertEquals(store.reserve(owner, dual).length, 2));
      use((store) => assertEquals(store.held(owner).length, 2));
      assertThrows(() => use((store) => store.reserve(owner, dual)), CniError);
      use((store) => assertEquals(store.release(owner).length, 2));
      use((store) => assertEquals(store.release(owner), []));
    }
  });
});

Deno.test("one attachment may hold hundreds of leases that someone else wrote", () => {
  inStore((use, dataDir) => {
    for (let n = 2; n < 202; n++) {
      put(dataDir, `10.244.1.${n}`, "many\r\neth0");
    }
    const many = { containerID: "many", ifname: "eth0" };
    use((store) => {
      assertThrows(() => store.reserve(many, dual), CniError, "already");
      store.reserve(pod(1), dual);
      assertEquals(store.release(many).length, 200);
      assertEquals(store.all().length, 2);
    });
  });
});

Deno.test("two networks in one dataDir do not see each other", () => {
  inStore((use, dataDir) => {
    use((store) => store.reserve(pod(1), small));
    withStore({ dataDir, network: "other" }, (store) => {
      assertEquals(store.held(pod(1)), []);
      assertEquals(texts(store.reserve(pod(1), small)), ["10.244.1.2"]);
    });
    assertEquals(texts(use((store) => store.release(pod(1)))), ["10.244.1.2"]);
    withStore(
      { dataDir, network: "other" },
      (store) => assertEquals(store.held(pod(1)).length, 1),
    );
  });
});

Deno.test("hundreds of random calls, with interference, agree with a model of the store", () => {
  let seed = 1;
  const random = (below: number) => (seed = seed * 48271 % 0x7fffffff) % below;
  inStore((use, dataDir) => {
    const model = new Map<string, string[]>();
    const pools = [
      pool("10.244.1.0/27", "10.244.1.1"),
      pool("fd00::/64", "fd00::1"),
    ];
    let foreign = 0;
    for (let i = 0; i < 400; i++) {
      const id = `pod-${random(20)}`;
      const owner = { containerID: id, ifname: "eth0" };
      const kind = random(10);
      if (kind < 5 && !model.has(id)) {
        const taken = texts(use((store) => store.reserve(owner, pools)));
        const others = [...model.values()].flat();
        assert(!taken.some((address) => others.includes(address)));
        model.set(id, taken);
      } else if (kind < 8) {
        const released = texts(use((store) => store.release(owner)));
        assertEquals(released, model.get(id) ?? []);
        model.delete(id);
      } else if (kind === 8 && foreign < 5) {
        const address = `10.244.1.${25 + foreign}`;
        if ([...model.values()].flat().includes(address)) continue;
        model.set(`theirs-${foreign}`, [address]);
        put(dataDir, address, `theirs-${foreign++}\r\neth0`);
      } else if (kind === 9 && model.has(id)) {
        for (const address of model.get(id)!) {
          Deno.removeSync(`${dataDir}/${network}/${address}`);
        }
        model.delete(id);
      }
    }
    for (const [id, addresses] of model) {
      const owner = { containerID: id, ifname: "eth0" };
      assertEquals(texts(use((store) => store.held(owner))), addresses);
    }
    const all = use((store) => store.all()).map(({ address }) => address);
    assertEquals(texts(all).sort(), [...model.values()].flat().sort());
  });
});

Deno.test("storeState() tells which pools have an address to give", () => {
  inStore((use, dataDir) => {
    const options = { dataDir, network };
    const both = [...small, dual[1]!];
    assertEquals(storeState(options, both), { hasFree: [true, true] });
    for (let n = 0; n < 5; n++) use((store) => store.reserve(pod(n), small));
    assertEquals(storeState(options, both), { hasFree: [false, true] });
    use((store) => store.release(pod(2)));
    assertEquals(storeState(options, both), { hasFree: [true, true] });
    put(dataDir, "10.244.1.4", "theirs\r\neth0");
    assertEquals(storeState(options, both), { hasFree: [false, true] });
  });
});

Deno.test("a dataDir that is no folder is an error of code 5 that names path, errno and remedy", () => {
  const file = Deno.makeTempFileSync();
  try {
    const options = { dataDir: file, network };
    for (
      const call of [
        () => withStore(options, () => {}),
        () => storeState(options, small),
      ]
    ) {
      const error = assertThrows(call, FileError, file);
      assertEquals(error.code, code.io);
      assert(/ENOTDIR|EEXIST/.test(error.message), error.message);
      assert(error.details.includes("set another dataDir"), error.details);
    }
  } finally {
    Deno.removeSync(file);
  }
});

Deno.test("a lock that another keeps is an error of code 11 after the time given, and serves again afterwards", () => {
  inStore((use, dataDir) => {
    use((store) => store.reserve(pod(1), small));
    const path = `${dataDir}/${network}/lock`;
    const other = Deno.openSync(path, { write: true });
    other.lockSync(true);
    const error = assertThrows(
      () => withStore({ dataDir, network, lockTimeout_ms: 20 }, () => {}),
      CniError,
      `Cannot lock ${path} within 20 ms`,
    );
    assertEquals(error.code, code.tryAgain);
    other.close();
    assertEquals(use((store) => store.held(pod(1))).length, 1);
  });
});

Deno.test("a large store that someone else wrote: ADD reads no lease, DEL finds its own all the same", () => {
  inStore((use, dataDir) => {
    const large = [pool("10.244.0.0/20", "10.244.0.1")];
    for (let n = 2; n < 1502; n++) {
      put(dataDir, `10.244.${n >> 8}.${n & 255}`, `theirs-${n}\r\neth0`);
    }
    const theirs = (n: number) => ({
      containerID: `theirs-${n}`,
      ifname: "eth0",
    });
    assertEquals(
      texts(use((store) => store.reserve(pod(1), large))),
      ["10.244.5.222"],
    );
    const index = `${dataDir}/.deno-cni/${network}/attachments`;
    assertEquals([...Deno.readDirSync(index)].length, 2);
    assertEquals(texts(use((store) => store.release(pod(1)))), [
      "10.244.5.222",
    ]);
    assertEquals(texts(use((store) => store.release(theirs(700)))), [
      "10.244.2.188",
    ]);
    assertEquals([...Deno.readDirSync(index)].length, 1500);
    assertEquals(use((store) => store.release(theirs(700))), []);
    // Changed again: what was read once may be wrong now, and is not relied on.
    Deno.removeSync(`${dataDir}/${network}/10.244.0.3`);
    put(dataDir, "10.244.0.3", "others\r\neth0");
    assertEquals(
      texts(use((store) => store.reserve(pod(2), large))),
      ["10.244.5.223"],
    );
    assertEquals(use((store) => store.release(theirs(3))), []);
    const others = { containerID: "others", ifname: "eth0" };
    assertEquals(texts(use((store) => store.release(others))), ["10.244.0.3"]);
    const last = texts(use((store) => store.held(theirs(1501))));
    assertEquals(last, ["10.244.5.221"]);
  });
});
