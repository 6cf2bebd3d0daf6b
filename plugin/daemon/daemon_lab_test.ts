/** What a call comes to by the daemon, and which calls it leaves to processes of their own. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd, type Command, type Outcome } from "../../lib/exec/command.ts";
import {
  added,
  config,
  none,
  type Pod,
  type TestNode,
} from "../sandbox_testing.ts";
import { capabilities } from "../../lib/packaging/daemon_unit.ts";
import { onDaemonNode } from "./daemon_testing.ts";

const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

function environment(
  command: string,
  pod: Pod,
  more: Record<string, string> = {},
): Record<string, string> {
  return {
    PATH,
    CNI_COMMAND: command,
    CNI_CONTAINERID: pod.name,
    CNI_NETNS: pod.netns,
    CNI_IFNAME: "eth0",
    CNI_PATH: "/usr/lib/cni",
    ...more,
  };
}

/** How many calls went the slow way meanwhile. */
async function slowCalls(
  node: TestNode,
  body: () => Promise<unknown>,
): Promise<number> {
  const before = await node.coldCalls() ?? 0;
  await body();
  return (await node.coldCalls() ?? 0) - before;
}

/** Runs the launcher by a command that begins with these words. */
function launch(
  node: TestNode,
  words: readonly string[],
  env: Record<string, string>,
  input: object | string = config,
): Promise<Outcome> {
  const stdin = typeof input === "string" ? input : JSON.stringify(input);
  const command: Command = { ...cmd`${[...words, node.plugin]}`, stdin };
  return node.run(command, env);
}

onDaemonNode(
  "every command is answered without another process, by each of the shells",
  async (node) => {
    const shells = [["dash"], ["bash", "--posix"], ["busybox", "ash"], []];
    for (const shell of shells) {
      const pod = await node.pod("p1");
      const slow = await slowCalls(node, async () => {
        for (
          const command of ["ADD", "CHECK", "STATUS", "VERSION", "DEL", "DEL"]
        ) {
          const prevResult = command === "CHECK" ? result : undefined;
          const input = { ...config, cniVersion: "1.1.0", prevResult };
          const { code, stdout, stderr } = await launch(
            node,
            shell,
            environment(command, pod),
            input,
          );
          const where = `${shell} ${command}: ${stdout}${stderr}`;
          assertEquals([code, stderr], [0, ""], where);
          if (command === "ADD") result = JSON.parse(stdout);
        }
      });
      assertEquals(slow, 0, shell.join(" "));
      assertEquals([await node.links(), await node.leases()], [["cni0"], []]);
      await pod.end();
    }
  },
);

let result: object | undefined;

onDaemonNode(
  "an answer is the same, byte for byte, as that of a process of its own",
  async (node) => {
    const pod = await node.pod("p1");
    // Bytes that shells use for themselves, backslashes, and what is no UTF-8 once it is cut.
    const strange = 'ā\u0081\u0088€\\n\\\\"$(id)`id`%s\u0007  two ';
    const inputs = [
      "",
      "{",
      `{"cniVersion":"${"9".repeat(300)}"}`,
      { ...config, name: strange },
      { ...config, bridge: strange },
      { ...config, subnet: strange },
      { ...config, cniVersion: "0.4.0", mtu: strange },
      { ...config, prevResult: { dns: { search: [strange] } } },
    ];
    const calls: [Record<string, string>, object | string][] = [
      ...inputs.flatMap((input): [Record<string, string>, object | string][] =>
        ["CHECK", "VERSION", "STATUS"].map((
          command,
        ) => [environment(command, pod), input])
      ),
      [environment("ADD", pod, { CNI_CONTAINERID: strange }), config],
      [environment("ADD", pod, { CNI_ARGS: strange }), config],
      [environment("ADD", pod, { CNI_NETNS: "/nowhere" }), config],
      [environment("nonsense", pod), config],
      [{ PATH, CNI_COMMAND: "ADD" }, config],
    ];
    const slow = await slowCalls(node, async () => {
      for (const [env, input] of calls) {
        const byDaemon = await launch(node, [], env, input);
        // Its stdout a file, stdin is one too: that is not handed over.
        const alone = await node.run({
          ...cmd`sh -c ${'cat >/run/input; exec "$0" </run/input'} ${node.plugin}`,
          stdin: typeof input === "string" ? input : JSON.stringify(input),
        }, env);
        assertEquals(byDaemon, alone, JSON.stringify([env, input]));
      }
    });
    assertEquals(slow, calls.length);
  },
);

onDaemonNode(
  "whatever is unusual about a call, a process of its own makes it",
  async (node) => {
    const pod = await node.pod("p1");
    const other = await node.pod("other");
    const env = environment("ADD", pod);
    const file = ["sh", "-c", 'cat >/run/input; exec "$0" </run/input'];
    const large = { ...config, dns: { search: ["x".repeat(3_000_000)] } };
    const ipam = {
      ...config,
      bridge: "ipam0",
      subnet: undefined,
      ipam: { type: "host-local", ranges: [[{ subnet: "10.9.0.0/24" }]] },
    };
    const cases: [string, string[], Record<string, string>, object][] = [
      ["stdin is a file", file, env, config],
      ["another network", ["nsenter", `--net=${other.netns}`], env, config],
      ["another mount namespace", ["unshare", "--mount"], env, config],
      [
        "another user namespace",
        ["unshare", "--user", "--map-root-user"],
        environment("VERSION", pod),
        config,
      ],
      ["another PID namespace", ["unshare", "--pid", "--fork"], env, config],
      [
        "other rights",
        ["setpriv", "--bounding-set", "-mknod", "--inh-caps", "-mknod"],
        env,
        config,
      ],
      ["another umask", ["sh", "-c", 'umask 077; exec "$0"'], env, config],
      ["another IPAM plugin", [], env, ipam],
      ["3 MB", [], env, large],
      [
        "a path of the caller's own",
        [],
        { ...env, CNI_NETNS: pod.netns.replace(/^\//, "./") },
        config,
      ],
      ["a command that takes long", [], environment("GC", pod), {
        ...config,
        cniVersion: "1.1.0",
        "cni.dev/valid-attachments": [],
      }],
    ];
    for (const [what, words, variables, input] of cases) {
      const slow = await slowCalls(node, async () => {
        const said = await launch(node, words, variables, input);
        assertEquals(
          [said.code, said.stderr],
          [0, ""],
          `${what}: ${said.stdout}`,
        );
      });
      assertEquals(slow, 1, what);
      await launch(node, words, { ...variables, CNI_COMMAND: "DEL" }, input);
    }
    const slow = await slowCalls(node, () => launch(node, [], env));
    assertEquals(slow, 0, "nothing unusual");
  },
);

onDaemonNode(
  "the capabilities of its unit are enough for the daemon, and it serves callers that have all",
  async (node) => {
    const few = capabilities.map((name) =>
      name.replace("CAP_", "+").toLowerCase()
    );
    const bound = ["-all", ...few].join(",");
    await node.startDaemon({
      through: ["setpriv", "--bounding-set", bound, "--inh-caps", bound],
    });
    const pod = await node.pod("p1");
    // IPv6 is switched off in the pod: that it is switched on again needs a right of its own.
    await pod.run(cmd`sysctl -qw net.ipv6.conf.default.disable_ipv6=1`);
    const input = {
      ...config,
      network: undefined,
      subnet: undefined,
      subnets: ["10.244.1.0/24", "fd00:10:244:1::/64"],
      logFile: "/run/deno-cni.log",
    };
    const slow = await slowCalls(node, async () => {
      await added(node, { pod, input });
      assertEquals(await node.cni({ command: "DEL", pod, input }), none);
    });
    assertEquals(slow, 0);
  },
);

onDaemonNode(
  "a stdin that comes slowly, or whose end never comes, holds up nobody",
  async (node) => {
    const pod = await node.pod("p1");
    const text = JSON.stringify(config);
    const half = `${text.slice(0, 30)}' ; sleep 1; printf %s '${
      text.slice(30)
    }`;
    const slowly = node.run(
      cmd`sh -c ${`{ printf %s '${half}'; } | ${node.plugin}`}`,
      environment("ADD", pod),
    );
    const quick = await node.pod("p2");
    const slow = await slowCalls(node, () => added(node, { pod: quick }));
    assertEquals((await slowly).code, 0);
    assert(slow <= 1, "only the slow one");
    assertEquals((await node.leases()).length, 2);
  },
);

onDaemonNode(
  "200 calls at once, of which 64 can wait for the daemon, are all answered",
  async (node) => {
    const pods = await Promise.all(
      Array.from({ length: 4 }, (_, at) => node.pod(`p${at}`)),
    );
    const calls = pods.flatMap((pod) =>
      Array.from({ length: 50 }, (_, at) => ({ pod, ifname: `eth${at}` }))
    );
    const results = await Promise.all(calls.map((call) => added(node, call)));
    const addresses = new Set(
      results.map(({ json }) => json.ips?.[0]?.address),
    );
    assertEquals(addresses.size, 200);
    const gone = await Promise.all(
      calls.map((call) => node.cni({ command: "DEL", ...call })),
    );
    assertEquals(gone, gone.map(() => none));
    assertEquals([await node.links(), await node.leases()], [["cni0"], []]);
  },
);

onDaemonNode(
  "DELs at once remove their own veths and no other link, whatever its group",
  async (node) => {
    const names = ["one", "two"].map((name) => ({ ...config, name }));
    const pods = await Promise.all(
      Array.from({ length: 12 }, (_, at) => node.pod(`p${at}`)),
    );
    await node.must(
      cmd`sh -c ${"ip link add foreign group 7 type veth peer name other; ip link add br9 type bridge"}`,
    );
    for (const pod of pods) {
      for (const [at, input] of names.entries()) {
        await added(node, { pod, input, ifname: `eth${at}` });
      }
    }
    const said = await Promise.all(
      pods.map((pod) =>
        node.cni({ command: "DEL", pod, input: names[0]!, ifname: "eth0" })
      ),
    );
    assertEquals(said, said.map(() => none));
    const left = (await node.links()).sort();
    assertEquals(left.filter((name) => !/^veth/.test(name)), [
      "br9",
      "cni0",
      "foreign",
      "other",
    ]);
    assertEquals(left.length, 4 + pods.length);
    assertEquals(
      [await node.leases("one"), (await node.leases("two")).length],
      [
        [],
        pods.length,
      ],
    );
    for (const pod of pods) {
      assertEquals((await pod.run(cmd`ip link show eth1`)).code, 0);
    }
  },
);

onDaemonNode(
  "what calls while the daemon is in a pod's network namespace is served, too",
  async (node) => {
    const pod = await node.pod("p1");
    // All at once, each with its whole input in a pipe when it starts.
    const crowd = `for at in $(seq 40); do
        printf %s "$0" | CNI_IFNAME=eth$at /run/plugin >/run/said$at &
      done
      wait`;
    const slow = await slowCalls(node, async () => {
      for (const command of ["ADD", "DEL", "ADD", "DEL", "ADD", "DEL"]) {
        const env = environment(command, pod);
        await node.run(cmd`sh -c ${crowd} ${JSON.stringify(config)}`, env);
        const addresses = command === "ADD" ? 40 : 0;
        assertEquals((await node.leases()).length, addresses);
      }
    });
    assertEquals(slow, 0);
  },
);

onDaemonNode(
  "a DEL is answered when no trace of its link is left, on the node or in the pod",
  async (node) => {
    const pod = await node.pod("p1");
    await node.must(cmd`mount -t sysfs sys /sys`);
    // One shell, so that no time passes between the answer and the look.
    const look = `/run/plugin
      for file in /sys/class/net/veth* /proc/sys/net/ipv4/conf/veth*; do
        [ ! -e "$file" ] || echo "$file"
      done
      nsenter --net="$CNI_NETNS" sh -c "tail -n +3 /proc/net/dev; cat /proc/net/fib_trie" |
        grep -e eth0 -e 10.244.1`;
    for (let round = 0; round < 8; round++) {
      await added(node, { pod });
      const input = JSON.stringify(config);
      const { stdout, stderr } = await node.run(
        {
          ...cmd`sh -c ${`{ ${look}; } 2>&1 | cat`}`,
          stdin: input,
        },
        environment("DEL", pod),
      );
      assertEquals([stdout, stderr], ["", ""]);
      assertEquals(await node.leases(), []);
    }
  },
);

/** How many descriptors the daemon has open. */
async function openDescriptors(node: TestNode): Promise<number> {
  const count = `read -r pid rest </run/deno-cni/daemon/*/self
    ls "/proc/$pid/fd" | wc -l`;
  return Number(await node.must(cmd`sh -c ${count}`));
}

onDaemonNode(
  "no call leaves a descriptor open: done, refused, or with leases that were lost",
  async (node) => {
    const pod = await node.pod("p1");
    const round = async () => {
      await added(node, { pod });
      assertEquals((await node.cni({ command: "ADD", pod })).exit, 1);
      // Its index is gone too: the pods that live are asked for their addresses.
      await node.must(cmd`rm -r /run/deno-cni/networks`);
      await added(node, { pod, ifname: "eth1" });
      for (const ifname of ["eth0", "eth1"]) {
        assertEquals(await node.cni({ command: "DEL", pod, ifname }), none);
      }
      const { json } = await node.cni({
        command: "DEL",
        pod,
        input: { ...config, subnet: "10.244.1.0/33" },
      });
      assertEquals(json, {});
    };
    await round();
    const before = await openDescriptors(node);
    const slow = await slowCalls(node, async () => {
      for (let at = 0; at < 5; at++) await round();
    });
    assertEquals([await openDescriptors(node), slow], [before, 0]);
  },
);

onDaemonNode("DEL of what never was makes no store", async (node) => {
  const pod = await node.pod("p1");
  assertEquals(await node.cni({ command: "DEL", pod }), none);
  const { code } = await node.run(cmd`ls /run/deno-cni/networks`);
  assertEquals(code, 2);
});
