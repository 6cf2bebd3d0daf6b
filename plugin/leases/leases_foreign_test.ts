/** A store into which others write as well, and what is found in it that nobody should have written. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { formatAddress, parseAddress } from "../address/address.ts";
import { storeState } from "./store_state.ts";
import {
  dual,
  files,
  inStore,
  network,
  pod,
  pool,
  put,
  small,
  texts,
} from "./leases_testing.ts";
import { CniError } from "../cni/protocol.ts";

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
