/**
 * The image's root but for Deno and the agent: of Debian's packages what the programs
 * need to run that the agent calls, and the licences.
 */
import { ignoreAbsent } from "../exec/atomic_file.ts";
import { cmd, type Command } from "../exec/command.ts";
import type { Architecture } from "../packaging/compiled.ts";
import { BuildError } from "../stage/errors.ts";
import { linkage } from "./elf.ts";

/** A processor as Debian names it, which is also OCI's name. */
export const debianNames: Readonly<Record<Architecture, "amd64" | "arm64">> = {
  x86_64: "amd64",
  aarch64: "arm64",
};

const packages = [
  "iproute2",
  "iptables",
  "nftables",
  "bird2",
  "containernetworking-plugins", // For loopback, which runtimes call for every pod.
  "coreutils",
  "util-linux",
  // What Deno itself is linked to.
  "libc6",
  "libgcc-s1",
];

/** What is kept, with the shared objects that it needs. */
const kept = [
  "bin/ip",
  "sbin/ip",
  "sbin/bridge",
  "usr/sbin/xtables-nft-multi",
  "usr/sbin/xtables-legacy-multi",
  "usr/sbin/nft",
  "usr/sbin/bird",
  "usr/sbin/birdc",
  "usr/sbin/chroot",
  "usr/bin/setsid",
  "usr/lib/cni/loopback",
  "etc/iproute2",
  "etc/protocols",
  "etc/services",
];

/** Folders of which everything is kept that is there. */
const keptIn = (triplet: string) => [`usr/lib/${triplet}/xtables`];

/** What Debian's update-alternatives and adduser would have made. */
const links: readonly (readonly [path: string, to: string])[] = [
  ...["iptables", "ip6tables"].flatMap((name) =>
    ["", "-save", "-restore"].flatMap((verb) => [
      [`usr/sbin/${name}${verb}`, "xtables-nft-multi"] as const,
      [`usr/sbin/${name}-nft${verb}`, "xtables-nft-multi"] as const,
      [`usr/sbin/${name}-legacy${verb}`, "xtables-legacy-multi"] as const,
    ])
  ),
  ["var/run", "/run"],
];

const texts: readonly (readonly [path: string, text: string])[] = [
  ["etc/passwd", "root:x:0:0:root:/:/usr/sbin/nologin\n"],
  ["etc/group", "root:x:0:\n"],
];

/** Places to mount something at. */
const folders = ["dev", "host", "proc", "run", "sys", "tmp", "etc/deno-cni"];

/**
 * The command that fetches the packages and lays them out, without running anything
 * of them: it works for another processor, too.
 *
 * @param suite Debian's release, as apt's sources name it
 * @param sources lines of sources.list(5); where there are none, mmdebstrap's own
 * @param tar where the root comes to lie
 */
export function fetchRoot(
  architecture: Architecture,
  suite: string,
  sources: readonly string[],
  tar: string,
): Command {
  const what = [
    `--architectures=${debianNames[architecture]}`,
    `--include=${packages.join(",")}`,
  ];
  return cmd`mmdebstrap --variant=extract ${what} ${suite} ${tar} ${sources}`;
}

/**
 * Picks from a root of Debian's what the image has.
 *
 * @param from the root as it was unpacked
 * @param to a folder that is empty
 * @throws {BuildError} where something of it is missing
 */
export async function pickRoot(
  from: string,
  to: string,
  architecture: Architecture,
): Promise<void> {
  const triplet = `${architecture}-linux-gnu`;
  const picker: Picker = { from, to, triplet, done: new Set() };
  for (const path of kept) await pick(picker, path);
  for (const folder of keptIn(triplet)) await pick(picker, folder);
  // Deno's own: it is linked to these, and comes from elsewhere.
  for (
    const name of ["libgcc_s.so.1", "libdl.so.2", "librt.so.1", "libm.so.6"]
  ) {
    await pick(picker, await library(picker, name, "deno"));
  }
  await pick(picker, await library(picker, "libpthread.so.0", "deno"));
  await pickLicences(picker);
  for (const path of folders) {
    await Deno.mkdir(`${to}/${path}`, { recursive: true });
  }
  for (const [path, target] of links) {
    await makeRoom(to, path);
    await Deno.remove(`${to}/${path}`).catch(ignoreAbsent);
    await Deno.symlink(target, `${to}/${path}`);
  }
  for (const [path, text] of texts) {
    await makeRoom(to, path);
    await Deno.writeTextFile(`${to}/${path}`, text);
  }
}

interface Picker {
  readonly from: string;
  readonly to: string;
  readonly triplet: string;
  readonly done: Set<string>;
}

async function makeRoom(root: string, path: string): Promise<void> {
  const folder = `${root}/${path}`.replace(/\/[^/]*$/, "");
  await Deno.mkdir(folder, { recursive: true });
}

/** Copies a file, a link with what it leads to, or a folder; with the libraries of each. */
async function pick(picker: Picker, path: string): Promise<void> {
  const { from, to, done } = picker;
  if (done.has(path)) return;
  done.add(path);
  const { isDirectory, isSymlink, mode } = await found(from, path);
  await makeRoom(to, path);
  if (isDirectory) {
    for await (const { name } of Deno.readDir(`${from}/${path}`)) {
      await pick(picker, `${path}/${name}`);
    }
    return;
  }
  if (isSymlink) {
    const target = await Deno.readLink(`${from}/${path}`);
    await Deno.symlink(target, `${to}/${path}`);
    return await pick(picker, resolved(path, target));
  }
  const bytes = await Deno.readFile(`${from}/${path}`);
  await Deno.writeFile(`${to}/${path}`, bytes);
  await Deno.chmod(`${to}/${path}`, ((mode ?? 0) & 0o111) ? 0o755 : 0o644);
  const { interpreter, needed } = linkage(path, bytes) ?? { needed: [] };
  if (interpreter) await pick(picker, interpreter.slice(1));
  for (const name of needed) {
    await pick(picker, await library(picker, name, path));
  }
}

/** Where a link of the root leads to, within the root. */
function resolved(path: string, target: string): string {
  return decodeURI(new URL(target, `file:///${path}`).pathname.slice(1));
}

async function found(root: string, path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.lstat(`${root}/${path}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new BuildError(
      `Debian's packages (${
        packages.join(", ")
      }) have no /${path}: expected it in this ` +
        "release; name another one by --suite",
    );
  }
}

/** The path of a shared object, where the loader looks for it. */
async function library(
  { from, triplet }: Picker,
  name: string,
  user: string,
): Promise<string> {
  const places = [`lib/${triplet}`, `usr/lib/${triplet}`, "lib", "lib64"]
    .map((folder) => `${folder}/${name}`);
  for (const place of places) {
    const info = await Deno.lstat(`${from}/${place}`).catch(ignoreAbsent);
    if (info !== undefined) return place;
  }
  throw new BuildError(
    `/${user} needs ${name}, which none of Debian's packages has brought: ` +
      "expected it in this release; name another one by --suite",
  );
}

async function pickLicences(picker: Picker): Promise<void> {
  const docs = `${picker.from}/usr/share/doc`;
  for await (const { name, isDirectory } of Deno.readDir(docs)) {
    const path = `usr/share/doc/${name}/copyright`;
    const info = isDirectory &&
      await Deno.lstat(`${picker.from}/${path}`).catch(ignoreAbsent);
    if (info && info.isFile) await pick(picker, path);
  }
}
