/**
 * What the kernel says while the agent runs: `ip monitor` and `nft monitor`, of
 * which only what may concern the pod network counts; and a look at what it says
 * nothing of.
 */
import { cmd, type Command } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { mark } from "../net/mark.ts";
import { nftTable } from "../net/nft_table.ts";
import { tunnelLink } from "../net/vxlan.ts";
import { routeProtocol } from "../steps/probes.ts";
import { pause } from "../apiserver/back_off.ts";

/** The kernel's own bookkeeping, and pods that come and go. */
const noise = new RegExp(
  [
    /\bdev (veth|lo\b)|^\d+: (veth|lo\b)/,
    /\bfe80:|\bff0[02]:|^multicast |^(broadcast|local|anycast) | table local /,
    / NOARP *$/,
  ].map(({ source }) => source).join("|"),
);

/** A neighbour at a tunnel's end, or a forwarding entry: it has no prefix and no gateway. */
const tunnelEntry = new RegExp(
  `^[^ /]+ dev ${RegExp.escape(tunnelLink)} (lladdr |[A-Z])`,
);

/**
 * Whether a line of `ip -o monitor link address route neigh netconf` may mean that
 * something of ours is gone or otherwise.
 *
 * @param isOurs tells the podCIDRs to which there are routes of ours
 */
export function concernsUs(
  line: string,
  isOurs: (podCIDR: string) => boolean,
): boolean {
  // Events were lost (ip-monitor says so on stderr).
  if (line.includes("No buffer space")) return true;
  const isGone = line.startsWith("Deleted ");
  const text = isGone ? line.slice("Deleted ".length) : line;
  if (noise.test(text)) return false;
  // A link, an address: what goes down takes its routes along, silently.
  if (/^\d+: /.test(text)) return true;
  if (/^inet6? /.test(text)) {
    return /^inet6? (?!veth)\S+ forwarding off/.test(text);
  }
  if (tunnelEntry.test(text)) return true;
  const [destination = ""] = text.split(" ", 1);
  return isOurs(destination) ||
    (isGone && ` ${text} `.includes(` proto ${routeProtocol} `));
}

const removal = new RegExp(
  [
    // A rule that goes is told by its number alone.
    /^(delete|destroy|replace) rule ip6? (filter FORWARD|nat POSTROUTING) /,
    /^(delete|destroy) (chain|table) ip6? (filter|nat)\b/,
    new RegExp(`^(?!# )\\w+ \\w+ ${nftTable.join(" ")}\\b`),
    /^# ERROR/, // events were lost
  ].map(({ source }) => source).join("|"),
);

/** Whether a line of `nft monitor` tells of a change where rules of ours are. */
export function changesRules(line: string): boolean {
  return removal.test(line);
}

/** A command that stays and tells. */
interface Monitor {
  /** What a line of it means, in a few words; undefined where it is no news. */
  readonly news: (line: string) => string | undefined;
  readonly command: Command;
  /** The command that runs it on the machine. */
  readonly enter: (command: Command) => Command;
}

/** How the monitors are started, and what is made of them. */
export interface KernelListening {
  /** The command that runs in the machine's network namespace. */
  readonly enterNetwork: (command: Command) => Command;
  /** The command that runs on the machine, with its programs. */
  readonly enter: (command: Command) => Command;
  readonly bridge: string;
  readonly isOurs: (podCIDR: string) => boolean;
  readonly tell: (what: string) => void;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Seconds between two looks. */
const look_s = 3;

const look = shellProgram("look.sh", import.meta.url);

/** What a word of look.sh means. */
const looked: Readonly<Record<string, string>> = {
  settings: "a kernel setting changed",
  pods: "a pod was unplugged",
  files: "a file of ours changed",
  speaker: "bird ended or began",
  rules: "a rule changed",
};

/** Listens until the signal fires; monitors that end are started again. */
export async function listenToKernel(
  listening: KernelListening,
): Promise<void> {
  const { enter, enterNetwork, isOurs, bridge } = listening;
  const monitors: readonly Monitor[] = [
    {
      command: cmd`ip -o monitor link address route neigh netconf`,
      enter: enterNetwork,
      news: (line) =>
        concernsUs(line, isOurs)
          ? "a link, address, route or neighbour changed"
          : undefined,
    },
    {
      command: cmd`nft monitor`,
      enter: enterNetwork,
      news: (line) => changesRules(line) ? "a rule changed" : undefined,
    },
    {
      command: {
        ...cmd`sh -c ${look} look ${look_s} ${bridge} ${mark}`,
        label: "look.sh",
      },
      enter,
      news: (line) => looked[line],
    },
  ];
  await Promise.all(monitors.map((monitor) => keepUp(monitor, listening)));
}

async function keepUp(
  monitor: Monitor,
  listening: KernelListening,
): Promise<void> {
  const { signal, log, tell } = listening;
  const { command: { argv, label = argv.join(" ") } } = monitor;
  let told = false;
  while (!signal.aborted) {
    const began_ms = performance.now();
    const ended = await listen(monitor, listening);
    if (signal.aborted) return;
    if (!told) {
      log(
        `${label} ended (${ended}): what it would tell is found every few minutes`,
      );
      told = true;
    }
    await pause(performance.now() - began_ms > 60_000 ? 1000 : 30_000, signal);
    // It may have missed something.
    if (!signal.aborted) tell(`${label} is begun again`);
  }
}

/** @returns why it ended */
async function listen(
  { command, enter, news }: Monitor,
  { tell, signal }: KernelListening,
): Promise<string> {
  const [program, ...args] = enter(command).argv;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "no such command";
    throw error;
  }
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch (error) {
      // It has ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
  };
  signal.addEventListener("abort", kill, { once: true });
  let said = "";
  const read = (line: string) => {
    const what = news(line);
    if (what !== undefined) tell(what);
  };
  try {
    await Promise.all([
      eachLine(child.stdout, read),
      eachLine(child.stderr, (line) => {
        said = line;
        read(line);
      }),
    ]);
    const { code, signal: by } = await child.status;
    return by ?? `exit code ${code}${said === "" ? "" : `: ${said}`}`;
  } finally {
    signal.removeEventListener("abort", kill);
    kill();
  }
}

async function eachLine(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  read: (line: string) => void,
): Promise<void> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = (lines.pop() ?? "").slice(-4096);
    lines.forEach(read);
  }
}
