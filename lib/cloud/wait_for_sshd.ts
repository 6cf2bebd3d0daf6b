/**
 * Whether a machine's sshd greets, by what stage 01 wrote down of it:
 *
 *   greeting.ts ask|wait PROVIDER FILE CLUSTER NODE
 *
 * "ask" prints `greets`, `silent` or `unmade`; "wait" tries until it greets.
 */
import { readAws, readGcp } from "../cluster/found_machines.ts";

/** How long a connection and its first line may take. */
const timeout_ms = 4_000;

/** How long a machine may take from its making to its sshd. */
const birth_ms = 300_000;

/**
 * Whether a server greets as an SSH server does: RFC 4253, section 4.2.
 *
 * @param address of the machine
 */
export async function greets(address: string, port = 22): Promise<boolean> {
  let connection: Deno.TcpConn | undefined;
  const abort = new AbortController();
  const timer = setTimeout(() => {
    abort.abort();
    connection?.close();
    connection = undefined;
  }, timeout_ms);
  try {
    connection = await Deno.connect({
      hostname: address,
      port,
      signal: abort.signal,
    });
    const buffer = new Uint8Array(255);
    const length = await connection.read(buffer) ?? 0;
    return new TextDecoder().decode(buffer.subarray(0, length))
      .startsWith("SSH-");
  } catch (error) {
    // Refused, unreachable, reset, timed out: it does not greet yet.
    if (error instanceof Error) return false;
    throw error;
  } finally {
    clearTimeout(timer);
    connection?.close();
  }
}

async function addressOf(
  provider: string,
  file: string,
  cluster: string,
  node: string,
): Promise<string | undefined> {
  let content: string;
  try {
    content = await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const { machines } = provider === "aws"
    ? readAws(content, file)
    : readGcp(content, file, cluster, [node]);
  return machines.get(node)?.publicAddress;
}

async function main(args: readonly string[]): Promise<number> {
  const [what = "", provider = "", file = "", cluster = "", node = ""] = args;
  const address = await addressOf(provider, file, cluster, node);
  if (what === "ask") {
    if (address === undefined) console.log("unmade");
    else console.log(await greets(address) ? "greets" : "silent");
    return 0;
  }
  if (address === undefined) {
    console.error(`${node} has no address from outside: is it stopped?`);
    return 1;
  }
  const end_ms = performance.now() + birth_ms;
  while (performance.now() < end_ms) {
    if (await greets(address)) return 0;
    await new Promise((next) => setTimeout(next, 2_000));
  }
  console.error(
    `no sshd greets at ${address} port 22 after ${birth_ms / 1000} s: is ` +
      "ssh let in from where you are (sshFrom), and does the machine start?",
  );
  return 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
