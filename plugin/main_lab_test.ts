// @ts-types="../lib/std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, withInput } from "../lib/exec/command.ts";
import { run } from "../lib/exec/run.ts";
import {
  builtPlugin,
  config,
  needsRoot,
  type TestNode,
  testNode,
} from "./sandbox_testing.ts";

// These calls are refused before anything is touched: they need no namespace and no root.

const versions = [
  "0.1.0",
  "0.2.0",
  "0.3.0",
  "0.3.1",
  "0.4.0",
  "1.0.0",
  "1.1.0",
];

const full = {
  CNI_COMMAND: "ADD",
  CNI_CONTAINERID: "p1",
  CNI_NETNS: "/proc/999999999/ns/net",
  CNI_IFNAME: "eth0",
  CNI_PATH: "/opt/cni/bin",
};

/** The node whose daemon makes the calls; undefined: each is a process of its own. */
let node: TestNode | undefined;

/** A test once in each way in which a call can be made. */
function bothWays(name: string, body: () => Promise<void>): void {
  Deno.test(`${name} (cold)`, body);
  Deno.test({
    name: `${name} (daemon, needs root)`,
    ignore: needsRoot,
    fn: async () => {
      await using made = await testNode(undefined, "daemon");
      node = made;
      try {
        await body();
      } finally {
        node = undefined;
      }
    },
  });
}

async function call(
  env: Record<string, string>,
  input: unknown = config,
  cwd = "/",
) {
  const text = typeof input === "string" ? input : JSON.stringify(input);
  const outcome = node === undefined
    ? await run(withInput(cmd`${await builtPlugin()}`, text), { env, cwd })
    : await node.run(
      withInput(cmd`/usr/bin/env -C ${cwd} ${node.plugin}`, text),
      env,
    );
  return {
    exit: outcome.code,
    stderr: outcome.stderr,
    json: outcome.stdout === "" ? undefined : JSON.parse(outcome.stdout),
  };
}

async function refused(
  env: Record<string, string>,
  input: unknown,
  code: number,
  ...words: string[]
): Promise<void> {
  const said = await call(env, input);
  assertEquals(
    [said.exit, said.json?.code, said.stderr],
    [1, code, ""],
    JSON.stringify(said),
  );
  for (const word of words) {
    assertStringIncludes(`${said.json.msg} – ${said.json.details}`, word);
  }
}

bothWays(
  "VERSION names all versions and echoes the caller's, whatever stdin holds",
  async () => {
    for (
      const [input, cniVersion] of [
        ["", "1.1.0"],
        ["{", "1.1.0"],
        ['{"cniVersion":"0.3.1"}', "0.3.1"],
        ['{"cniVersion":"9.9.9"}', "9.9.9"],
        ['{"cniVersion":7}', "1.1.0"],
      ]
    ) {
      const { exit, json } = await call({ CNI_COMMAND: "VERSION" }, input);
      assertEquals([exit, json], [0, {
        cniVersion,
        supportedVersions: versions,
      }]);
    }
  },
);

Deno.test("VERSION answers with stdin closed", async () => {
  const plugin = await builtPlugin();
  const closed = await run(cmd`sh -c ${`exec "$0" <&-`} ${plugin}`, {
    env: { CNI_COMMAND: "VERSION", PATH: "/usr/bin:/bin" },
  });
  assertEquals(closed.code, 0, closed.stderr);
  assertEquals(JSON.parse(closed.stdout).supportedVersions, versions);
});

bothWays("all missing variables are named together", async () => {
  await refused(
    { CNI_COMMAND: "ADD" },
    config,
    4,
    "CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH",
  );
  await refused(
    { CNI_COMMAND: "CHECK" },
    config,
    4,
    "CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH",
  );
  await refused(
    { CNI_COMMAND: "DEL" },
    config,
    4,
    "CNI_CONTAINERID, CNI_IFNAME, CNI_PATH",
  );
  await refused({ CNI_COMMAND: "GC" }, config, 4, "CNI_PATH");
  await refused({ CNI_COMMAND: "STATUS" }, config, 4, "CNI_PATH");
  await refused({}, config, 4, "CNI_COMMAND is missing");
  await refused(
    { CNI_COMMAND: "add" },
    config,
    4,
    "CNI_COMMAND is add",
    "ADD, CHECK, DEL",
  );
});

bothWays("names that cannot be are code 4 and named", async () => {
  for (const CNI_CONTAINERID of ["-a", "a/b", "a b", ".", "ü", "a\n"]) {
    await refused(
      { ...full, CNI_CONTAINERID },
      config,
      4,
      JSON.stringify(CNI_CONTAINERID),
    );
  }
  for (
    const CNI_IFNAME of [
      ".",
      "..",
      "a/b",
      "a:b",
      "a b",
      "a\tb",
      "sixteen-letters-",
      "üüüüüüüü",
    ]
  ) {
    await refused(
      { ...full, CNI_IFNAME },
      config,
      4,
      JSON.stringify(CNI_IFNAME),
    );
  }
  await refused({ ...full, CNI_ARGS: "IP" }, config, 4, `"IP"`);
  await refused(
    { ...full, CNI_ARGS: "IP=10.244.1.300" },
    config,
    4,
    "10.244.1.300",
  );
  await refused({ ...full, CNI_ARGS: "MAC=1:2" }, config, 4, "1:2");
  await refused(
    { ...full, CNI_ARGS: "MAC=01:00:5e:00:00:01" },
    config,
    4,
    "group",
  );
});

bothWays("what is no JSON object is code 6", async () => {
  for (const input of ["", "{", "[]", "7", "null", '"x"', "\xff"]) {
    await refused(full, input, 6, "stdin");
  }
});

bothWays(
  "a version that is not spoken is code 1, and so is a command that it does not have",
  async () => {
    await refused(
      full,
      { ...config, cniVersion: "2.0.0" },
      1,
      "2.0.0",
      "1.1.0",
    );
    await refused(full, { ...config, cniVersion: 1 }, 1, "cniVersion is 1");
    const check = { ...full, CNI_COMMAND: "CHECK" };
    await refused(
      check,
      { ...config, cniVersion: "0.3.1" },
      1,
      "CHECK",
      "0.3.1",
      "0.4.0",
    );
    for (const CNI_COMMAND of ["GC", "STATUS"]) {
      await refused(
        { ...full, CNI_COMMAND },
        config,
        1,
        CNI_COMMAND,
        "1.0.0",
        "1.1.0",
      );
    }
  },
);

bothWays(
  "configuration that makes no sense is code 7, or 2 for what is not supported, and names the value",
  async () => {
    const cases: [object, number, ...string[]][] = [
      [{ name: undefined }, 7, "name is missing"],
      [{ name: "a/b" }, 7, '"a/b"'],
      [{ subnet: undefined }, 7, "subnet is missing"],
      [{ subnet: 7 }, 7, "subnet is 7"],
      [{ subnet: "10.244.1.0" }, 7, "10.244.1.0"],
      [{ subnet: "10.244.1.0/33" }, 7, "10.244.1.0/33"],
      [{ subnet: "10.244.01.0/24" }, 7, "10.244.01.0/24"],
      [{ subnet: "10.244.1.7/24" }, 7, "10.244.1.7/24"],
      [{ subnet: "10.244.1.0/31" }, 7, "10.244.1.0/31"],
      [{ subnet: "10.245.1.0/24" }, 7, "10.245.1.0/24", "10.244.0.0/16"],
      [{ subnet: "10.0.0.0/8" }, 7, "10.0.0.0/8", "10.244.0.0/16"],
      [{ subnets: ["10.244.1.0/24"] }, 7, "both subnet and subnets"],
      [
        { subnet: undefined, subnets: ["10.244.1.0/24", "10.244.2.0/24"] },
        7,
        "10.244.2.0/24",
      ],
      [{ bridge: "a b" }, 7, '"a b"'],
      [{ bridge: "sixteen-letters-" }, 7, "sixteen-letters-"],
      [{ mtu: 12 }, 7, "mtu is 12"],
      [{ mtu: "1500" }, 7, 'mtu is "1500"', "whole number"],
      [{ hairpinMode: "yes" }, 7, 'hairpinMode is "yes"'],
      [{ dataDir: "relative" }, 7, '"relative"'],
      [{ routes: [{}] }, 7, "routes[0].dst is missing"],
      [{ routes: [{ dst: "everywhere" }] }, 7, "everywhere"],
      [{ dns: { nameservers: "10.96.0.10" } }, 7, "dns.nameservers"],
      [{ ipam: {}, subnet: undefined }, 7, "subnet is missing"],
      [{ ipam: { type: "host-local" } }, 7, "both subnet and ipam"],
      [{ ipam: { type: "../sh" }, subnet: undefined }, 7, "../sh"],
      [
        { runtimeConfig: { ips: ["10.244.2.9/24"] } },
        7,
        "10.244.2.9",
        "10.244.1.0/24",
      ],
      [{ runtimeConfig: { ips: ["10.244.1.255"] } }, 7, "10.244.1.255"],
      [{ runtimeConfig: { mac: "zz" } }, 7, "runtimeConfig.mac", "zz"],
      [
        { prevResult: { ips: [{}] } },
        7,
        "prevResult.ips[0].address is missing",
      ],
      [{ ipMasq: true }, 2, "ipMasq is true"],
      [{ vlan: 100 }, 2, "vlan is 100"],
    ];
    for (const [change, code, ...words] of cases) {
      await refused(full, { ...config, ...change }, code, ...words);
    }
  },
);

bothWays(
  "keys that are not ours are passed over, and null counts as absent",
  async () => {
    // It gets as far as the namespace, which is not there.
    await refused(
      full,
      { ...config, somebodys: { key: 1 }, ipMasq: false, mtu: null },
      3,
      "999999999",
    );
  },
);

bothWays("an error speaks the caller's version", async () => {
  const { json } = await call(full, { ...config, cniVersion: "0.4.0" });
  assertEquals([json.cniVersion, json.code], ["0.4.0", 3]);
});

bothWays("CHECK needs a prevResult", async () => {
  await refused(
    { ...full, CNI_COMMAND: "CHECK" },
    config,
    7,
    "prevResult is missing",
  );
});

bothWays(
  "the plugin does not depend on PATH, HOME or the working directory",
  async () => {
    const env = {
      CNI_COMMAND: "VERSION",
      PATH: "/nowhere",
      HOME: "/proc/nowhere",
    };
    const { exit, stderr } = await call(env, "", "/proc");
    assertEquals([exit, stderr], [0, ""]);
  },
);
