/** Makes the image of the agent: `make image`. */
import { ignoreAbsent } from "../exec/atomic_file.ts";
import {
  cmd,
  type Command,
  CommandError,
  type Outcome,
  succeeded,
} from "../exec/command.ts";
import { projectVersion } from "../exec/project_version.ts";
import { run } from "../exec/run.ts";
import type { Architecture } from "../packaging/compiled.ts";
import { BuildError } from "../stage/errors.ts";
import { type BuilderName, findBuilder, type Recipe } from "./builder.ts";
import { debianNames, fetchRoot, pickRoot } from "./debian_root.ts";
import { denoFor } from "./foreign_deno.ts";
import { packArchive, type Packed } from "./oci_archive.ts";
import { layPlugin, layProgram } from "./payload.ts";

/** What the image is to be. */
interface ImageOptions {
  /** The project's folder. */
  readonly root: string;
  readonly architecture: Architecture;
  /** Its name, without the tag, which is the version. */
  readonly name: string;
  /** Debian's release; that of this machine where left out. */
  readonly suite?: string;
  readonly builder?: BuilderName;
  /** Told what is done, in a few words. */
  readonly tell: (what: string) => void;
}

/** The image, as an archive. */
interface MadeImage extends Packed {
  /** The archive, absolute. */
  readonly archive: string;
  /** Its name with its tag. */
  readonly name: string;
}

/** The parts of the context, as the Containerfile copies them. */
const parts = ["debian", "deno", "agent"] as const;

/**
 * Makes it, in `dist/image/` of the project's folder, all of which is gone afterwards.
 *
 * @throws {BuildError} where a program is missing, or gives something else than is wanted
 * @throws {CommandError} where one fails
 */
export async function makeImage(options: ImageOptions): Promise<MadeImage> {
  const { root, architecture, tell } = options;
  const builder = await findBuilder(options.builder);
  const suite = options.suite ?? await suiteOfMachine();
  const work = `${root}/dist/image`;
  await Deno.remove(work, { recursive: true }).catch(ignoreAbsent);
  try {
    const context = `${work}/context`;
    for (const part of parts) {
      await Deno.mkdir(`${context}/${part}`, { recursive: true });
    }
    tell(`Debian's packages (${suite}, ${debianNames[architecture]})`);
    await layDebian(work, `${context}/debian`, architecture, suite);
    tell("Deno and the agent");
    await layDeno(work, `${context}/deno`, architecture);
    await layAgent(root, work, `${context}/agent`);
    const recipe = await recipeOf(options, work, context);
    tell("the image");
    for (const command of builder.commands(recipe)) await must(command);
    const archive = `${root}/dist/deno-cni-image-${
      debianNames[architecture]
    }.tar`;
    const unpacked = await emptyFolder(`${work}/archive`);
    const packed = await packArchive(
      recipe.archive,
      unpacked,
      archive,
      recipe.name,
      debianNames[architecture],
    );
    return { ...packed, archive, name: recipe.name };
  } finally {
    await Deno.remove(work, { recursive: true }).catch(ignoreAbsent);
  }
}

async function recipeOf(
  { root, name, architecture }: ImageOptions,
  work: string,
  context: string,
): Promise<Recipe> {
  const git = async (...words: string[]) => {
    const outcome = await run(cmd`git -C ${root} ${words}`);
    return succeeded(outcome) ? outcome.stdout.trim() : "";
  };
  const given = Deno.env.get("SOURCE_DATE_EPOCH");
  const epoch = given ?? await git("log", "-1", "--format=%ct");
  return {
    context,
    containerfile: `${root}/config/kubernetes/Containerfile`,
    work,
    archive: `${work}/made.tar`,
    name: `${name}:${projectVersion()}`,
    version: projectVersion(),
    revision: await git("rev-parse", "HEAD"),
    architecture,
    epoch_s: Number(epoch) || 0,
  };
}

async function layDebian(
  work: string,
  to: string,
  architecture: Architecture,
  suite: string,
): Promise<void> {
  const tar = `${work}/debian.tar`;
  const fetch = fetchRoot(architecture, suite, await aptSources(suite), tar);
  const outcome = await run(fetch, { timeout_ms: 600_000 });
  if (outcome.ended === "no such command") {
    throw new BuildError(
      "mmdebstrap: not found: expected it, to fetch Debian's packages. As root, run: " +
        "apt-get install --no-install-recommends mmdebstrap",
    );
  }
  if (!succeeded(outcome)) {
    throw new BuildError(unfetched(outcome, suite, debianNames[architecture]));
  }
  const from = await emptyFolder(`${work}/debian`);
  // Devices cannot be made by all, and are none of the image's.
  const plain = ["--no-same-owner", "--exclude=./dev/*"];
  await must(cmd`tar --extract ${plain} --file ${tar} --directory ${from}`);
  await pickRoot(from, to, architecture);
}

/** What apt and dpkg say of it; mmdebstrap tells all that it does. */
function unfetched(
  outcome: Outcome,
  suite: string,
  architecture: string,
): string {
  const all = outcome.stderr.split("\n").map((line) => line.trimEnd());
  const told = all.filter((line) =>
    /^([EW]|Err:\d+|dpkg\S*|tar)[: ]|No space|Temporary|404/.test(line) &&
    !/^E: (mmdebstrap|apt-get) .*(failed|received)/.test(line)
  );
  const reasons = (told.length > 0 ? told : all.slice(-5))
    .map((line) => `  ${line.trim()}\n`).join("");
  const what = outcome.ended ?? `exit code ${outcome.code}`;
  return `Debian's packages (${suite}, ${architecture}) cannot be had (mmdebstrap: ${what}):\n` +
    `${reasons}what to do: look at the way to the mirror, which is that of this machine's ` +
    "apt, and at the room on the disk (df -h . /tmp); another release is named by --suite";
}

/** What apt of this machine reads for a release: its updates and its security, too. */
async function aptSources(suite: string): Promise<readonly string[]> {
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
  const outcome = await run(
    cmd`apt-get indextargets --format ${format} ${"Created-By: Packages"}`,
  );
  if (!succeeded(outcome)) return [];
  const lines = outcome.stdout.split("\n").filter((line) =>
    line.split(" ")[1]?.replace(/-(updates|security)$/, "") === suite
  );
  return [...new Set(lines)].map((line) => `deb ${line}`);
}

async function suiteOfMachine(): Promise<string> {
  const text = await Deno.readTextFile("/etc/os-release").catch(() => "");
  const suite = /^VERSION_CODENAME=(\w+)$/m.exec(text)?.[1];
  if (suite !== undefined) return suite;
  throw new BuildError(
    "Cannot tell the release of Debian: /etc/os-release has no VERSION_CODENAME; " +
      "name it by --suite, e.g. --suite bookworm",
  );
}

async function layDeno(
  work: string,
  to: string,
  architecture: Architecture,
): Promise<void> {
  const deno = await denoFor(architecture, await emptyFolder(`${work}/npm`));
  await Deno.mkdir(`${to}/usr/bin`, { recursive: true });
  await Deno.copyFile(deno, `${to}/usr/bin/deno`);
  await Deno.chmod(`${to}/usr/bin/deno`, 0o755);
}

async function layAgent(
  root: string,
  work: string,
  to: string,
): Promise<void> {
  const home = `${to}/usr/lib/deno-cni`;
  await Deno.mkdir(home, { recursive: true });
  await layProgram(root, home);
  await layPlugin(root, await emptyFolder(`${work}/plugin`), home);
}

async function emptyFolder(path: string): Promise<string> {
  await Deno.mkdir(path);
  return path;
}

async function must(command: Command): Promise<void> {
  const outcome = await run(command, { timeout_ms: 600_000 });
  if (!succeeded(outcome)) throw failed(command, outcome);
}

function failed(
  command: Command,
  outcome: ConstructorParameters<typeof CommandError>[2],
): CommandError {
  const why = "the image is made of what this gives";
  return new CommandError("this machine", command, outcome, why);
}
