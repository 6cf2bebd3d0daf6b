/**
 * A node made of namespaces for tests, with pods, on which the plugin is
 * executed as a container runtime does it. Everything of it ends with the
 * process that made it, however that ends: each namespace is held by a `cat`
 * that reads from it.
 */
// @ts-types="../lib/std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { buildPlugin } from "../lib/packaging/build.ts";
import {
  cmd,
  type Command,
  type Outcome,
  withInput,
} from "../lib/exec/command.ts";
import type { Result } from "./cni/protocol.ts";
import { run } from "../lib/exec/run.ts";

export const needsRoot = Deno.uid() !== 0;

export const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** The plugin as `make plugin` leaves it. */
export async function builtPlugin(): Promise<string> {
  await buildPlugin({ root });
  return `${root}/dist/deno-cni`;
}

/** The network configuration that stage 03 writes, as the runtime hands it to the plugin. */
export const config = {
  cniVersion: "1.0.0",
  name: "deno-cni",
  type: "deno-cni",
  network: "10.244.0.0/16",
  subnet: "10.244.1.0/24",
};

/** The ways in which a call is made: in a process of its own, or by the daemon. */
export type Way = "cold" | "daemon";
export const ways: readonly Way[] = ["cold", "daemon"];

/** What is asked of the plugin: everything but the command has a default. */
export interface Call {
  command: string;
  /** Its name is the container's ID, its namespace CNI_NETNS. */
  pod?: Pod;
  /** An object becomes JSON. */
  input?: object | string;
  ifname?: string;
  /** The plugin is killed after so long. */
  killed_ms?: number;
  /** Further variables, or other values for those that follow from the rest; undefined takes one away. */
  env?: Record<string, string | undefined>;
}

/** What the plugin answered. */
export interface Said {
  exit: number | undefined;
  /** What it printed, parsed; {} for nothing. */
  json: Answer;
  stderr: string;
}

/** A result, an error or an answer to VERSION. */
export interface Answer extends Partial<Result> {
  cniVersion?: string;
  supportedVersions?: string[];
  code?: number;
  msg?: string;
  details?: string;
}

export interface Pod {
  readonly name: string;
  /** Its network namespace, as a path. */
  readonly netns: string;
  /** Runs something in its network namespace. */
  run(command: Command): Promise<Outcome>;
  /** Ends it and its namespace. */
  end(): Promise<void>;
}

/** How a daemon is started. */
export interface DaemonStart {
  readonly args?: readonly string[];
  /** A command that executes it. */
  readonly through?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface TestNode extends AsyncDisposable {
  readonly pid: number;
  /** Runs something on the node. */
  run(command: Command, env?: Record<string, string>): Promise<Outcome>;
  /** Runs something on the node and gives its output. @throws {Error} when it fails */
  must(command: Command): Promise<string>;
  pod(name: string): Promise<Pod>;
  /** Executes the plugin. */
  cni(call: Call): Promise<Said>;
  /** The launcher that calls are made with, as the node sees it. */
  readonly plugin: string;
  /** Starts a daemon and waits until it serves; gives its process ID. It ends with the node. */
  startDaemon(start?: DaemonStart): Promise<number>;
  /** How many calls a process of their own has made so far; undefined where there is no daemon. */
  coldCalls(): Promise<number | undefined>;
  /** Names of the links on the node, but for lo. */
  links(): Promise<string[]>;
  /** The addresses that a network's leases hold, sorted. */
  leases(network?: string): Promise<string[]>;
}

/**
 * Makes a node: a network and a mount namespace with a /run of its own.
 * @param executable the plugin's; by default as `make plugin` leaves it
 * @param way in which its calls are made
 * @param start how its daemon is started
 */
export async function testNode(
  executable?: string,
  way: Way = "cold",
  start: DaemonStart = {},
): Promise<TestNode> {
  const built = executable ?? await builtPlugin();
  const plugin = way === "cold" ? built : "/run/plugin";
  const setUp =
    "cd / && mount -t tmpfs none /run && ip link set lo up && echo ready && exec cat";
  const holder = await hold(["unshare", "--net", "--mount", "sh", "-c", setUp]);
  const pods: Pod[] = [];
  const enter = [
    "/usr/bin/nsenter",
    "-t",
    String(holder.pid),
    "--net",
    "--mount",
    "--root",
    "--wd",
    "--",
  ];

  function onNode(
    command: Command,
    env?: Record<string, string>,
  ): Promise<Outcome> {
    const argv = [...enter, ...command.argv] as [string, ...string[]];
    return run({ ...command, argv }, {
      timeout_ms: 60_000,
      ...(env === undefined ? {} : { env }),
    });
  }

  async function must(command: Command): Promise<string> {
    const outcome = await onNode(command);
    if (outcome.code === 0) return outcome.stdout;
    throw new Error(`${command.argv.join(" ")}: ${outcome.stderr}`);
  }

  const daemons: Daemon[] = [];
  async function startDaemon(start: DaemonStart = {}): Promise<number> {
    const daemon = await runDaemon(holder.pid, plugin, enter, start);
    daemons.push(daemon);
    return daemon.pid;
  }
  if (way === "daemon") {
    await installLauncher(holder.pid, built);
    await startDaemon(start);
  }

  return {
    pid: holder.pid,
    plugin,
    run: onNode,
    startDaemon,
    must,
    async pod(name) {
      const unshared = [
        "unshare",
        "--net",
        "sh",
        "-c",
        "echo ready && exec cat",
      ];
      const held = await hold([...enter, ...unshared]);
      const pod: Pod = {
        name,
        netns: `/proc/${held.pid}/ns/net`,
        run: (command) =>
          run({
            ...command,
            argv: ["nsenter", "-t", String(held.pid), "--net", ...command.argv],
          }),
        end: held.end,
      };
      pods.push(pod);
      return pod;
    },
    async cni(call) {
      const input = call.input ?? config;
      const command = withInput(
        call.killed_ms === undefined
          ? cmd`${plugin}`
          : cmd`/usr/bin/timeout -s KILL ${call.killed_ms / 1000} ${plugin}`,
        typeof input === "string" ? input : JSON.stringify(input),
      );
      const outcome = await onNode(command, environmentOf(call));
      const { code: exit, stdout, stderr } = outcome;
      return {
        exit,
        json: stdout === "" ? {} : JSON.parse(stdout),
        stderr,
      };
    },
    async coldCalls() {
      if (way === "cold") return undefined;
      return (await onNode(cmd`cat /run/cold`)).stdout.length;
    },
    async links() {
      const found: { ifname: string }[] = JSON.parse(
        await must(cmd`ip -j link show`),
      );
      return found.map(({ ifname }) => ifname).filter((name) => name !== "lo");
    },
    async leases(network = config.name) {
      const outcome = await onNode(cmd`ls /run/deno-cni/networks/${network}`);
      return outcome.stdout.split("\n").filter((name) =>
        /^[0-9a-f]+[.:]/.test(name)
      );
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(daemons.map((daemon) => daemon.end()));
      await Promise.all(pods.map((pod) => pod.end()));
      await holder.end();
    },
  };
}

/**
 * Puts a launcher on a node, as /run/plugin, which notes each call that it does
 * not hand over: a byte each in /run/cold.
 */
export async function installLauncher(
  pid: number,
  launcher: string,
): Promise<void> {
  const target = `/proc/${pid}/root/run/plugin`;
  const text = (await Deno.readTextFile(launcher)).replace(
    "hand_over\n# ",
    "hand_over\n[ $# -gt 0 ] || { printf . >>/run/cold; } 2>/dev/null\n# ",
  );
  // Whole, for calls may go on meanwhile.
  await Deno.writeTextFile(`${target}.new`, text);
  await Deno.chmod(`${target}.new`, 0o755);
  await Deno.rename(`${target}.new`, target);
}

interface Daemon {
  readonly pid: number;
  end(): Promise<void>;
}

async function runDaemon(
  pid: number,
  launcher: string,
  enter: readonly string[],
  { args = [], env = {}, through = [] }: DaemonStart,
): Promise<Daemon> {
  const inside = `/proc/${pid}/root`;
  const [program, ...rest] = [
    ...enter,
    ...through,
    launcher,
    "daemon",
    ...args,
  ];
  const child = new Deno.Command(program!, {
    args: rest,
    env: { ...env },
    stdin: "null",
    stderr: "piped",
  }).spawn();
  const text = await Deno.readTextFile(`${inside}${launcher}`);
  const [, version] = /^version=(.*)$/m.exec(text)!;
  const said = new Response(child.stderr).text();
  let ended = false;
  child.status.then(() => ended = true);
  const serves = () =>
    Deno.readTextFile(`${inside}/run/deno-cni/daemon/${version}`).then(
      (where) => where.startsWith(`${child.pid} `),
      () => false,
    );
  while (!await serves()) {
    if (ended) throw new Error(`the daemon does not start: ${await said}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return {
    pid: child.pid,
    async end() {
      if (!ended) child.kill("SIGKILL");
      await child.status;
      await said;
    },
  };
}

/** What a command that says nothing answers. */
export const none = { exit: 0, json: {}, stderr: "" };

/** A test on a node of its own, once in each way in which a call can be made. */
export function onNode(
  name: string,
  body: (node: TestNode, way: Way) => Promise<void>,
): void {
  for (const way of ways) {
    Deno.test({
      name: `${name} (${way}, needs root)`,
      ignore: needsRoot,
      fn: async () => {
        await using node = await testNode(undefined, way);
        await body(node, way);
      },
    });
  }
}

/** ADD that must succeed. */
export async function added(
  node: TestNode,
  call: Omit<Call, "command">,
): Promise<Said> {
  const said = await node.cni({ command: "ADD", ...call });
  assertEquals(said.exit, 0, JSON.stringify(said));
  assertEquals(said.stderr, "");
  return said;
}

/** A call that must be refused with a code, in words that include these. */
export async function refused(
  node: TestNode,
  call: Call,
  code: number,
  ...words: string[]
): Promise<void> {
  const said = await node.cni(call);
  assertEquals([said.exit, said.json.code], [1, code], JSON.stringify(said));
  for (const word of words) {
    assertStringIncludes(`${said.json.msg} – ${said.json.details}`, word);
  }
}

function environmentOf(
  { command, pod, ifname, env }: Call,
): Record<string, string> {
  const all: Record<string, string | undefined> = {
    CNI_COMMAND: command,
    CNI_PATH: "/usr/lib/cni",
    ...(pod === undefined ? {} : {
      CNI_CONTAINERID: pod.name,
      CNI_NETNS: pod.netns,
      CNI_IFNAME: ifname ?? "eth0",
      CNI_ARGS:
        `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=${pod.name}`,
    }),
    ...env,
  };
  const set: Record<string, string> = {};
  for (const [name, value] of Object.entries(all)) {
    if (value !== undefined) set[name] = value;
  }
  return set;
}

interface Holder {
  readonly pid: number;
  end(): Promise<void>;
}

/** Starts a process that says "ready" and then lives until its stdin ends. */
async function hold([program, ...args]: string[]): Promise<Holder> {
  const child = new Deno.Command(program!, {
    args,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  if (new TextDecoder().decode(value) !== "ready\n") {
    await reader.cancel();
    await child.stdin.close();
    await child.status;
    throw new Error(`${program} ${args.join(" ")} did not get ready`);
  }
  return {
    pid: child.pid,
    async end() {
      await child.stdin.close().catch(() => {}); // It may have ended.
      await reader.cancel();
      await child.status;
    },
  };
}
