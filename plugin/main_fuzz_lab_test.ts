/**
 * Whatever comes on stdin and in the environment, the answer is a CNI result
 * or a CNI error. The inputs come from a seed, so that a failure can be had
 * again: FUZZ_SEED=…, which each failure names.
 */
// @ts-types="../lib/std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd, type Outcome, withInput } from "../lib/exec/command.ts";
import { run } from "../lib/exec/run.ts";
import { builtPlugin, config, needsRoot, testNode } from "./sandbox_testing.ts";

const rounds = 300;
const daemonRounds = 100;

/** Mulberry32: a small generator, the same numbers for the same seed. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Pick = (below: number) => number;

/** Valid, all but valid, and far from it. */
const strings = [
  "",
  "a",
  "-",
  "..",
  "eth0",
  "10.244.1.0/24",
  "10.244.1.300",
  "::",
  "fd00::/64",
  "::ffff:1.2.3.4/120",
  "0x10.0.0.0/8",
  "1e3",
  "010.0.0.1",
  "host-local",
  "../../bin/sh",
  "/etc/passwd",
  "/proc/self/ns/net",
  "ü",
  "\u202e",
  "\u0000",
  "a".repeat(5000),
  "IP=1.2.3.4",
  "=;;=",
  "__proto__",
  "1.1.0",
  "0.4.0",
  "9.9.9",
];

const keys = [
  ...Object.keys(config),
  "subnets",
  "networks",
  "bridge",
  "mtu",
  "hairpinMode",
  "routes",
  "dns",
  "dataDir",
  "ipam",
  "args",
  "runtimeConfig",
  "prevResult",
  "cni.dev/valid-attachments",
  "ips",
  "mac",
  "dst",
  "gw",
  "__proto__",
  "constructor",
  "toString",
  "interfaces",
  "address",
  "type",
  "cni",
  "vlan",
  "ip4",
  "ip6",
];

function value(pick: Pick, depth: number): unknown {
  switch (pick(depth > 3 ? 5 : 8)) {
    case 0:
      return null;
    case 1:
      return pick(2) === 0;
    case 2:
      return [0, -1, 1500, 1e99, 0.5, 2 ** 53, -0][pick(7)];
    case 3:
    case 4:
      return strings[pick(strings.length)];
    case 5:
      return Array.from({ length: pick(4) }, () => value(pick, depth + 1));
    default: {
      // fromEntries defines __proto__ as a key like any other.
      const entries = Array.from(
        { length: pick(5) },
        () => [keys[pick(keys.length)]!, value(pick, depth + 1)],
      );
      return Object.fromEntries(entries);
    }
  }
}

/** A valid configuration with some values changed, as a text with some characters changed. */
function input(pick: Pick): string {
  const changed = Object.entries({ ...config, cniVersion: "1.1.0" });
  for (let left = pick(4); left > 0; left--) {
    changed.push([keys[pick(keys.length)]!, value(pick, 0) as string]);
  }
  let text = JSON.stringify(Object.fromEntries(changed));
  if (pick(4) > 0) return text;
  for (let left = pick(5) + 1; left > 0; left--) {
    const at = pick(text.length + 1);
    const inserted = ['"', "}", "\\", "[", "\u0007", "9", ""][pick(7)]!;
    text = text.slice(0, at) + inserted + text.slice(at + pick(20));
  }
  return text;
}

function environment(pick: Pick): Record<string, string> {
  const env: Record<string, string> = {
    CNI_COMMAND: ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"][pick(6)]!,
    CNI_CONTAINERID: "p1",
    CNI_IFNAME: "eth0",
    CNI_NETNS: "/proc/999999999/ns/net",
    CNI_PATH: "/nowhere",
  };
  const names = [...Object.keys(env), "CNI_ARGS", "CNI_NETNS_OVERRIDE"];
  for (let left = pick(3); left > 0; left--) {
    const name = names[pick(names.length)]!;
    const drawn = strings[pick(strings.length)]!.replaceAll("\0", "");
    if (pick(4) === 0) delete env[name];
    // The node's own namespace must stay out of reach, wherever the test runs.
    else if (name !== "CNI_NETNS_OVERRIDE" || drawn !== "1") env[name] = drawn;
  }
  return env;
}

/** Without network, devices or privileges, and with all but /tmp read-only: nothing can be touched, all can be asked. */
function confined(plugin: string) {
  return Deno.uid() === 0
    ? cmd`unshare --net --mount sh -c ${'mount -t tmpfs none /run && mount -t tmpfs none /var/lib && exec "$0"'} ${plugin}`
    : cmd`${plugin}`;
}

Deno.test(`${rounds} random inputs and environments get a CNI answer each`, async () => {
  const plugin = await builtPlugin();
  const path = Deno.uid() === 0 ? { PATH: "/usr/bin:/bin" } : {};
  await answersAll((text, env) =>
    run(withInput(confined(plugin), text), { env: { ...env, ...path } })
  );
});

Deno.test({
  name:
    `${rounds} random inputs and environments get one of the daemon (needs root)`,
  ignore: needsRoot,
  fn: async () => {
    await using node = await testNode(undefined, "daemon");
    await answersAll(
      (text, env) => node.run(withInput(cmd`${node.plugin}`, text), env),
      daemonRounds,
    );
    // Some have an `ipam`, or are GC. A daemon that had ended would leave all the rest.
    const slow = await node.coldCalls() ?? 0;
    assert(slow < daemonRounds / 2, `${slow}`);
  },
});

/** Has random calls made, and looks at what they are answered. */
async function answersAll(
  call: (text: string, env: Record<string, string>) => Promise<Outcome>,
  times = rounds,
): Promise<void> {
  const seed = Number(
    Deno.env.get("FUZZ_SEED") ?? Math.floor(Math.random() * 2 ** 32),
  );
  const pick = generator(seed);
  const one = async (at: number) => {
    const env = environment(pick);
    const text = input(pick);
    const where = `FUZZ_SEED=${seed}, call ${at}: ${
      JSON.stringify(env)
    } ${text}`;
    const { code, stdout, stderr } = await call(text, env);
    if (code === 0 && stdout === "") return;
    const said = parsed(stdout, where);
    if (code === 0) {
      assertEquals(typeof said.cniVersion, "string", where);
      return;
    }
    assertEquals([code, typeof said.code, typeof said.msg], [
      1,
      "number",
      "string",
    ], where);
    // 199 is a mistake of the plugin, and what it has to say of that goes to stderr.
    assertEquals(
      [said.code === 199, stderr],
      [false, ""],
      `${where}: ${stdout}`,
    );
  };
  for (let at = 0; at < times; at += 2) {
    await Promise.all([one(at), one(at + 1)]);
  }
}

function parsed(text: string, where: string): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${where}: ${text} is no JSON`);
  }
}
