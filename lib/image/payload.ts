/**
 * What the image has of this project: the agent's program as one file, the files that its
 * modules read, and the plugin as it is installed from there.
 */
import { writeWhole } from "../exec/atomic_file.ts";
import { projectVersion } from "../exec/project_version.ts";
import { buildPlugin } from "../packaging/build.ts";
import { bundleModule, bundleOf, commands } from "../packaging/bundle.ts";
import { installed, launcher } from "../packaging/launcher.ts";
import { BundleError } from "../packaging/parting.ts";
import { startPortable } from "../packaging/portable.ts";
import { BuildError } from "../stage/errors.ts";
import { lateProgram, starterOf } from "./late_program.ts";
import {
  foldersRead,
  modulesOf,
  relocated,
  requiredFiles,
} from "./relocate.ts";

/** The module that the image starts, from the project's root. */
const entry = "scripts/agent.ts";

/**
 * Lays the program out in a folder.
 *
 * @param root the project's folder
 * @param to a folder that is there; what the bundle reads beside itself lies in it
 * @throws {BuildError}
 */
export async function layProgram(root: string, to: string): Promise<void> {
  const program = `${to}/agent.js`;
  try {
    await bundleModule(root, entry, program);
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw new BuildError(error.message, { cause: error });
  }
  const modules = modulesOf(await Deno.readTextFile(program));
  const late = "agent.txt";
  await writeWhole(`${to}/${late}`, lateProgram(relocated(modules)));
  await writeWhole(program, starterOf(late));
  await copyRequired(root, requiredFiles(modules), to);
  for (const folder of foldersRead(modules)) {
    await copyData(root, folder, to);
  }
  // projectVersion() reads it, and nothing else is told by it in the image.
  const about = { version: projectVersion() };
  await writeWhole(`${to}/deno.json`, JSON.stringify(about) + "\n");
}

/** Copies files, and those that they load themselves, into one folder. */
async function copyRequired(
  root: string,
  files: readonly string[],
  to: string,
): Promise<void> {
  const all = [...files];
  for (const source of all) {
    const text = await Deno.readTextFile(`${root}/${source}`);
    await writeWhole(`${to}/${source.replace(/^.*\//, "")}`, text);
    const more = requiredFiles([{ source, text }]);
    all.push(...more.filter((file) => !all.includes(file)));
  }
}

/** Copies the files of a folder that are read as text: shell programs and scripts to start. */
async function copyData(
  root: string,
  folder: string,
  to: string,
): Promise<void> {
  for await (const { name, isFile } of Deno.readDir(`${root}/${folder}`)) {
    // bundle.ts is read for a digest: build.ts
    const isRead = /\.(sh|js|json)$/.test(name) || name === "bundle.ts";
    if (!isFile || !isRead) continue;
    await Deno.mkdir(`${to}/${folder}`, { recursive: true });
    const text = await Deno.readTextFile(`${root}/${folder}/${name}`);
    await writeWhole(`${to}/${folder}/${name}`, text);
  }
}

/**
 * Puts the plugin's portable form where build.ts finds it in the image. Its Deno is the
 * image's own; so this serves every processor.
 *
 * @param work an empty folder, in which it is built
 */
export async function layPlugin(
  root: string,
  work: string,
  to: string,
): Promise<void> {
  // A build of its own: what dist/ holds for the stages stays as it is.
  await Deno.symlink(`${root}/plugin`, `${work}/plugin`);
  await buildPlugin({ root: work, form: "portable" });
  const dist = `${to}/dist/deno-cni-portable`;
  await Deno.mkdir(dist, { recursive: true });
  const parts = ["start.js", ...commands.map(bundleOf), "deno-cni-daemon.js"];
  const texts = await Promise.all(
    parts.map(async (name) => {
      const text = await Deno.readTextFile(
        `${work}/dist/deno-cni-portable/${name}`,
      );
      await writeWhole(`${dist}/${name}`, text);
      return text;
    }),
  );
  // Told apart by what they are; a build of the stages also by where it was made.
  const version = await digestOf([Deno.version.deno, ...texts]);
  const text = launcher(version, startPortable(installed.folder));
  await writeWhole(`${dist}/launcher`, text, 0o755);
  const record = {
    digest: "of the image",
    form: "portable",
    reason: "asked for",
  };
  await writeWhole(`${to}/dist/build.json`, JSON.stringify(record) + "\n");
}

async function digestOf(texts: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(texts.join("\0"));
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(hash).toHex().slice(0, 16);
}
