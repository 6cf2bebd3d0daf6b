/** Reserving and releasing. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseAddress } from "../address/address.ts";
import { FileError } from "../linux/file_error.ts";
import { withStore } from "./leases.ts";
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
import { cniErrorOf } from "../cni/failure.ts";
import { CniError, code } from "../cni/protocol.ts";

Deno.test("reserve() hands out the first address after the gateway, then the next, then the next", () => {
  inStore((use) => {
    const got = [1, 2, 3].map((n) =>
      use((store) => texts(store.reserve(pod(n), small)))
    );
    assertEquals(got, [["10.244.1.2"], ["10.244.1.3"], ["10.244.1.4"]]);
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

Deno.test("no file of the index holds an address as text, taken or given back", () => {
  inStore((use, dataDir) => {
    for (const n of [1, 2, 3]) use((store) => store.reserve(pod(n), dual));
    use((store) => store.release(pod(2)));
    const index = `${dataDir}/.deno-cni/${network}`;
    const seen: string[] = [];
    for (const folder of ["", "/attachments", "/taken"]) {
      for (const entry of Deno.readDirSync(index + folder)) {
        const path = `${index}${folder}/${entry.name}`;
        seen.push(entry.name);
        if (entry.isSymlink) seen.push(Deno.readLinkSync(path));
        if (entry.isFile) seen.push(Deno.readTextFileSync(path));
      }
    }
    assert(seen.length > 6);
    const all = seen.join("\n");
    assert(!/\d+\.\d+\.\d+\.\d+|[0-9a-f]*::/.test(all), all);
    assertEquals(texts(use((store) => store.held(pod(3)))), [
      "10.244.1.4",
      "fd00:0:0:1::4",
    ]);
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
      assertEquals(cniErrorOf(error).code, code.io);
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
