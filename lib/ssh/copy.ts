/**
 * A file to a node over ssh: not sent where the node has it already, sent
 * compressed as both sides can, and renamed into place when all of it is there.
 */
import { put, writeOutput } from "../exec/shell_file.ts";
import {
  cmd,
  type Command,
  CommandError,
  type Outcome,
  quote,
  succeeded,
} from "../exec/command.ts";
import type { SendOptions } from "./session.ts";
import { followProgress } from "./copy_progress.ts";
import { exists } from "../exec/atomic_file.ts";
import { run } from "../exec/run.ts";

/** How a command gets to the node. */
interface Sender {
  readonly name: string;
  readonly stateDir: string;
  readonly send: (command: Command, options?: SendOptions) => Promise<Outcome>;
}

/** What is to be copied. */
interface CopyOrder {
  readonly file: string;
  readonly path: string;
  /** Octal digits, as chmod(1) takes them. */
  readonly mode: string;
  readonly options?: SendOptions;
}

/** A program that packs, and unpacks with -d, from standard input to standard output. */
interface Packer {
  readonly program: "zstd" | "gzip";
  readonly suffix: string;
}

/** The quickest first: three nodes wait for one file, and a gigabit is no bottleneck. */
const packers: readonly Packer[] = [
  { program: "zstd", suffix: ".zst" },
  { program: "gzip", suffix: ".gz" },
];

/** Smaller files go as they are: packing would cost more than it saves. */
const packedFrom_bytes = 1 << 16;

/**
 * Copies.
 *
 * @throws {CommandError} when the file cannot be read, or the node could not take it
 * @throws {UnreachableError} as the sender does
 */
export async function copyOver(
  sender: Sender,
  order: CopyOrder,
): Promise<void> {
  const { file, path, mode, options } = order;
  const { size } = await Deno.stat(file);
  const digest = await digestOf(file);
  const found = await must(
    sender,
    order,
    cmd`sh -c ${askScript} ask ${path} ${mode} ${digest} ${size}`,
    options,
  );
  const said = found.stdout.trim().split("\n");
  if (said.includes("same")) return;
  const packer = size < packedFrom_bytes ? undefined : await commonPacker(said);
  const source = packer === undefined
    ? file
    : await packed(file, digest, packer, sender.stateDir);
  const unpack = packer === undefined ? "cat" : `${packer.program} -dcq`;
  const command =
    cmd`sh -c ${receiveScript} receive ${path} ${mode} ${size} ${unpack}`;
  await pour(sender, order, source, command);
}

/**
 * "same" where the node has the file, its rights put right; else the packers that it has.
 */
const askScript = `path=$1 mode=$2 digest=$3 size=$4
if [ -f "$path" ] && [ "$(stat -Lc %s "$path")" = "$size" ] &&
  echo "$digest  $path" | sha256sum -c --status 2>/dev/null; then
  [ "$(stat -Lc %a "$path")" = "$mode" ] || chmod "$mode" "$path"
  echo same
  exit
fi
for packer in zstd gzip; do
  ! command -v "$packer" >/dev/null || echo "$packer"
done`;

/** Takes the file from standard input; what is cut off is never put in its place. */
const receiveScript = `set -eu
path=$1 mode=$2 size=$3 unpack=$4
mkdir -p "\${path%/*}"
trap 'rm -f "$path.new"' EXIT
$unpack >"$path.new"
got=$(stat -c %s "$path.new")
[ "$got" = "$size" ] || { echo "only $got of $size bytes came" >&2; exit 1; }
chmod "$mode" "$path.new"
mv -fT "$path.new" "$path"`;

/** The copy as lines for a POSIX shell; `enter` shows a command of the node's. */
export function showCopyOver(
  file: string,
  path: string,
  mode: string,
  enter: (command: Command) => string,
): string {
  const receive = writeOutput(path, mode, cmd`gzip -dc`);
  return `gzip -1c ${quote(file)} | ${enter(receive)}`;
}

/** Sends a stream; ends it when nothing moves for as long as a command may take. */
async function pour(
  sender: Sender,
  order: CopyOrder,
  source: string,
  command: Command,
): Promise<void> {
  // Loaded by what copies: an agent, which stays, does not.
  const { createReadStream } = await import("node:fs");
  const { pipeline, Transform } = await import("node:stream");
  const { size } = await Deno.stat(source);
  const { timeout_ms = 30_000, signal } = order.options ?? {};
  const stalled = new AbortController();
  const progress = followProgress(sender.name, order.file, size);
  let timer = setTimeout(() => stalled.abort(), timeout_ms);
  const counted = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      progress.moved(chunk.length);
      clearTimeout(timer);
      timer = setTimeout(() => stalled.abort(), timeout_ms);
      done(null, chunk);
    },
  });
  const file = createReadStream(source);
  let unread: Error | undefined;
  file.on("error", (error: Error) => unread = error);
  const signals = [stalled.signal, ...(signal === undefined ? [] : [signal])];
  try {
    await must(sender, order, command, {
      input: pipeline(file, counted, () => {}),
      signal: AbortSignal.any(signals),
      // What limits it is that it moves, not how long it takes.
      timeout_ms: 24 * 3600_000,
    }, () => stalled.signal.aborted && !(signal?.aborted ?? false));
  } catch (error) {
    if (unread === undefined) throw error;
    const outcome = { code: 1, stdout: "", stderr: unread.message };
    const why = `copy ${order.file} to ${sender.name}`;
    throw new CommandError("operator", cmd`cat ${source}`, outcome, why);
  } finally {
    clearTimeout(timer);
    progress.end();
    file.destroy();
    counted.destroy();
  }
}

async function must(
  { name, send }: Sender,
  { file, path }: CopyOrder,
  command: Command,
  options: CopyOrder["options"],
  isLate: () => boolean = () => false,
): Promise<Outcome> {
  const outcome = await send(command, options);
  if (succeeded(outcome)) return outcome;
  throw new CommandError(
    name,
    { ...command, label: `copy ${file} to ${path}` },
    isLate() ? { ...outcome, ended: "timed out" } : outcome,
    `copy ${file}`,
  );
}

/** The first packer that this machine has and the node said it has. */
async function commonPacker(
  there: readonly string[],
): Promise<Packer | undefined> {
  for (const packer of packers) {
    if (!there.includes(packer.program)) continue;
    if (succeeded(await run(cmd`${packer.program} --version`))) return packer;
  }
  return undefined;
}

const digests = new Map<string, Promise<string>>();

/** A file's SHA-256, reckoned once for all nodes as long as the file stays the same. */
async function digestOf(file: string): Promise<string> {
  const { mtime, size, ino } = await Deno.stat(file);
  const key = JSON.stringify([file, mtime, size, ino]);
  const known = digests.get(key) ?? hash(file);
  digests.set(key, known);
  return await known;
}

async function hash(file: string): Promise<string> {
  const { createReadStream } = await import("node:fs");
  const { createHash } = await import("node:crypto");
  const digest = createHash("sha256");
  for await (const chunk of createReadStream(file)) digest.update(chunk);
  return digest.digest("hex");
}

const packing = new Map<string, Promise<string>>();

/**
 * The file packed, once for all nodes and runs:
 * below the cluster's state, the newest of its name only.
 */
function packed(
  file: string,
  digest: string,
  packer: Packer,
  stateDir: string,
): Promise<string> {
  const folder = `${stateDir}/packed`;
  const name = file.slice(file.lastIndexOf("/") + 1);
  const target = `${folder}/${name}-${digest.slice(0, 16)}${packer.suffix}`;
  const known = packing.get(target) ?? pack(file, folder, name, target, packer);
  packing.set(target, known);
  return known;
}

async function pack(
  file: string,
  folder: string,
  name: string,
  target: string,
  { program }: Packer,
): Promise<string> {
  if (await exists(target)) return target;
  await Deno.mkdir(folder, { recursive: true });
  for await (const entry of Deno.readDir(folder)) {
    if (!entry.name.startsWith(`${name}-`)) continue;
    await Deno.remove(`${folder}/${entry.name}`);
  }
  const threads = program === "zstd" ? ["-T0"] : [];
  const script = `${put}out=$1 file=$2; shift 2; put "$out" 644 "$@" <"$file"`;
  // Deno would take its own path, given as an argument, for a request.
  const source = file.replace(/\/(?=[^/]*$)/, "/./");
  const command =
    cmd`sh -c ${script} pack ${target} ${source} ${program} -1 -c -q ${threads}`;
  const outcome = await run(command, { timeout_ms: 300_000 });
  if (succeeded(outcome)) return target;
  throw new CommandError("operator", command, outcome, `pack ${file}`);
}
