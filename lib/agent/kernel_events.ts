/**
 * What the kernel says while the agent runs: `ip monitor` and `nft monitor`, of
 * which only what may concern the pod network counts.
 */
import { cmd, type Command } from "../exec/command.ts";
import { nftTable } from "../net/nft_table.ts";
import { routeProtocol } from "../steps/probes.ts";
import { pause } from "../apiserver/back_off.ts";

/** The kernel's own bookkeeping, and pods that come and go. */
const noise = new RegExp(
  [
    /\bdev (veth|lo\b)|^\d+: (veth|lo\b)/,
    /\bfe80:|\bff0[02]:|^multicast |^(broadcast|local) | table local /,
  ].map(({ source }) => source).join("|"),
);

/**
 * Whether a line of `ip -o monitor link address route netconf` may mean that
 * something of ours is gone or otherwise.
 *
 * @param isOurs tells the podCIDRs to which there are routes of ours
 */
export function concernsUs(
  line: string,
  isOurs: (podCIDR: string) => boolean,
): boolean {
  const isGone = line.startsWith("Deleted ");
  const text = isGone ? line.slice("Deleted ".length) : line;
  if (noise.test(text)) return false;
  // A link, an address: what goes down takes its routes along, silently.
  if (/^\d+: /.test(text)) return true;
  if (/^inet6? /.test(text)) {
    return /^inet6? (?!veth)\S+ forwarding off/.test(text);
  }
  const [destination = ""] = text.split(" ", 1);
  return isOurs(destination) ||
    (isGone && ` ${text} `.includes(` proto ${routeProtocol} `));
}

/** Whether a line of `nft monitor` tells of a rule that is gone where ours are. */
export function removesRule(line: string): boolean {
  // A rule that goes is told by its number alone.
  return /^delete rule ip6? (filter FORWARD|nat POSTROUTING) /.test(line) ||
    /^(delete|destroy) (chain|table) ip6? (filter|nat)\b/.test(line) ||
    line.startsWith("delete ") &&
      `${line} `.includes(` ${nftTable.join(" ")} `);
}

/** A command that stays and tells. */
interface Monitor {
  readonly what: string;
  readonly command: Command;
  readonly isNews: (line: string) => boolean;
}

/** How the monitors are started, and what is made of them. */
interface Listening {
  /** The command that runs in the machine's network namespace. */
  readonly enter: (command: Command) => Command;
  readonly isOurs: (podCIDR: string) => boolean;
  readonly tell: (what: string) => void;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Listens until the signal fires; monitors that end are started again. */
export async function listenToKernel(listening: Listening): Promise<void> {
  const monitors: readonly Monitor[] = [
    {
      what: "a link, address or route changed",
      command: cmd`ip -o monitor link address route netconf`,
      isNews: (line) => concernsUs(line, listening.isOurs),
    },
    {
      what: "a rule was removed",
      command: cmd`nft monitor`,
      isNews: removesRule,
    },
  ];
  await Promise.all(monitors.map((monitor) => keepUp(monitor, listening)));
}

async function keepUp(monitor: Monitor, listening: Listening): Promise<void> {
  const { signal, log, tell } = listening;
  const { what, command } = monitor;
  const line = command.argv.join(" ");
  let told = false;
  while (!signal.aborted) {
    const began_ms = Date.now();
    const ended = await listen(monitor, listening);
    if (signal.aborted) return;
    if (!told) {
      log(
        `${line} ended (${ended}): what it would tell is found every few minutes`,
      );
      told = true;
    }
    await pause(Date.now() - began_ms > 60_000 ? 1000 : 30_000, signal);
    // It may have missed something.
    if (!signal.aborted) tell(what);
  }
}

/** @returns why it ended */
async function listen(
  { what, command, isNews }: Monitor,
  { enter, tell, signal }: Listening,
): Promise<string> {
  const [program, ...args] = enter(command).argv;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
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
  try {
    let rest = "";
    const text = child.stdout.pipeThrough(new TextDecoderStream());
    for await (const chunk of text) {
      const lines = (rest + chunk).split("\n");
      rest = (lines.pop() ?? "").slice(-4096);
      if (lines.some(isNews)) tell(what);
    }
    const { code, signal: by } = await child.status;
    return by ?? `exit code ${code}`;
  } finally {
    signal.removeEventListener("abort", kill);
    kill();
  }
}
