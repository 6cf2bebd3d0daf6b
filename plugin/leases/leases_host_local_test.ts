/**
 * The reference's own program on our store, and we on its: either may take over from the other at any time.
 */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { formatAddress, formatSubnet } from "../address/address.ts";
import { type Store, withStore } from "./leases.ts";
import { network, ownerOf, pools } from "./store_testing.ts";

const hostLocal = "/usr/lib/cni/host-local";

function isInstalled(): boolean {
  try {
    return Deno.statSync(hostLocal).isFile;
  } catch {
    return false;
  }
}

/** Executes host-local as a CNI plugin does; gives its addresses, or what it says is wrong. */
function reference(
  dataDir: string,
  command: "ADD" | "DEL" | "CHECK",
  pod: string,
): string[] | string {
  const config = {
    cniVersion: "1.0.0",
    name: network,
    type: "bridge",
    ipam: {
      type: "host-local",
      dataDir,
      ranges: pools.map(({ subnet }) => [{ subnet: formatSubnet(subnet) }]),
    },
    ...(command === "CHECK" ? { prevResult: { cniVersion: "1.0.0" } } : {}),
  };
  const input = `${dataDir}.stdin`;
  Deno.writeTextFileSync(input, JSON.stringify(config));
  try {
    const { stdout } = new Deno.Command("sh", {
      args: ["-c", 'exec "$0" < "$1"', hostLocal, input],
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: pod,
        CNI_IFNAME: "eth0",
        CNI_NETNS: "/var/run/netns/none",
        CNI_PATH: "/usr/lib/cni",
      },
    }).outputSync();
    const text = new TextDecoder().decode(stdout);
    if (text === "") return [];
    const { msg, ips } = JSON.parse(text);
    return msg ??
      ips.map(({ address }: { address: string }) =>
        address.slice(0, address.indexOf("/"))
      );
  } finally {
    Deno.removeSync(input);
  }
}

function together(
  name: string,
  body: (
    dataDir: string,
    use: <T>(body: (store: Store) => T) => T,
  ) => void,
): void {
  Deno.test({
    name: `${name} (needs host-local in /usr/lib/cni)`,
    ignore: !isInstalled(),
    fn: () => {
      const dataDir = Deno.makeTempDirSync({ prefix: "leases-" });
      try {
        body(dataDir, (use) => withStore({ dataDir, network }, use));
      } finally {
        Deno.removeSync(dataDir, { recursive: true });
      }
    },
  });
}

const both = (n: number) => [
  `10.244.1.${n}`,
  `fd00:0:0:1::${n.toString(16)}`,
];

together("host-local and we take turns in one store", (dataDir, use) => {
  for (let n = 2; n < 10; n++) {
    const pod = `pod-${n}`;
    const taken = n % 2 === 0
      ? reference(dataDir, "ADD", pod)
      : use((store) => store.reserve(ownerOf(pod), pools)).map(formatAddress);
    assertEquals(taken, both(n));
  }
  // Each takes back what the other gave.
  for (let n = 2; n < 10; n++) {
    const pod = `pod-${n}`;
    if (n % 2 === 1) assertEquals(reference(dataDir, "DEL", pod), []);
    else {
      const given = use((store) => store.release(ownerOf(pod)));
      assertEquals(given.map(formatAddress), both(n));
    }
  }
  assertEquals(use((store) => store.all()), []);
});

together(
  "host-local's CHECK finds our lease, and misses it after our release",
  (dataDir, use) => {
    use((store) => store.reserve(ownerOf("ours"), pools));
    assertEquals(reference(dataDir, "CHECK", "ours"), []);
    use((store) => store.release(ownerOf("ours")));
    const said = reference(dataDir, "CHECK", "ours");
    assert(said.includes("Failed to find address added by container ours"));
  },
);

together(
  "host-local refuses a second ADD of our attachment, and we of its",
  (dataDir, use) => {
    use((store) => store.reserve(ownerOf("ours"), pools));
    const said = reference(dataDir, "ADD", "ours");
    assert(said.includes("duplicate allocation is not allowed"), String(said));
    reference(dataDir, "ADD", "theirs");
    let ours: unknown;
    try {
      use((store) => store.reserve(ownerOf("theirs"), pools));
    } catch (error) {
      ours = error;
    }
    assert(
      String(ours).includes("it holds 10.244.1.3 and fd00:0:0:1::3 already"),
    );
  },
);

together(
  "what host-local writes is what we write, to the byte and the name",
  (dataDir, use) => {
    const read = () =>
      Object.fromEntries(
        [...Deno.readDirSync(`${dataDir}/${network}`)].map(({ name }) => [
          name,
          Deno.readTextFileSync(`${dataDir}/${network}/${name}`),
        ]),
      );
    reference(dataDir, "ADD", "pod");
    const theirs = read();
    Deno.removeSync(dataDir, { recursive: true });
    use((store) => store.reserve(ownerOf("pod"), pools));
    assertEquals(read(), theirs);
  },
);
