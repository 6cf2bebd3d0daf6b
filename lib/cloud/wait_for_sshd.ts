/**
 * Whether a machine's sshd greets, by what stage 01 wrote down of it:
 *
 *   wait_for_sshd.ts ask|wait PROVIDER FILE CLUSTER NODE
 *
 * "ask" prints `greets`, `silent` or `unmade`; "wait" tries until it greets.
 * A program that is started by its path, and imported by no other file.
 */
import { readAws, readGcp } from "../cluster/found_machines.ts";
import { greets } from "./sshd_greeting.ts";

/** How long a machine may take from its making to its sshd. */
const birth_ms = 300_000;

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

Deno.exit(await main(Deno.args));
