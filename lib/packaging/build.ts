/**
 * Builds the plugin into `dist/`: as one executable (the compiled form), or,
 * where Deno's base binary for that (`denort`) cannot be had, as the portable
 * form: Deno itself, one bundled file and a launcher of a few lines.
 */
import {
  bundle,
  bundleCalls,
  bundleOf,
  calledText,
  commands,
} from "./bundle.ts";
import {
  type Architecture,
  compile,
  compiledSource,
  forget,
  recall,
  remember,
} from "./compiled.ts";
import {
  installed,
  launcher,
  startCompiled,
  writeLaunchers,
} from "./launcher.ts";
import { BundleError } from "./parting.ts";
import { assemblePortable, startPortable, startText } from "./portable.ts";
import { writeWhole } from "../exec/atomic_file.ts";
import { BuildError } from "../stage/errors.ts";

const startCompiledText = await Deno.readTextFile(
  new URL("./start_compiled.js", import.meta.url),
);

type Form = "compiled" | "portable";

/** A file to be put on a node. */
interface BuiltFile {
  /** Absolute path on this machine; a link's target, not the link. */
  readonly source: string;
  /** Absolute path on the node. */
  readonly target: string;
  /** As chmod(1) takes it. */
  readonly mode: string;
}

export interface Built {
  readonly form: Form;
  readonly architecture: Architecture;
  /** What to put on a node of that architecture; the last one is what the runtime executes. */
  readonly files: readonly BuiltFile[];
  /** What came of it, for the person who waits. */
  readonly line: string;
  /** Whether anything was built; false when all was there already. */
  readonly changed: boolean;
}

interface BuildOptions {
  /** The project's folder: `plugin/` in it is built, into `dist/`. */
  readonly root: string;
  /** Of the nodes; by default this machine's. */
  readonly architecture?: Architecture;
  /**
   * Nothing else will do. Unless told, the compiled form is tried first, and
   * not again on a machine where its base binary could not be had.
   */
  readonly form?: Form;
  /** How long to wait for the base binary; 5 s, or 5 minutes when the compiled form is demanded. */
  readonly timeout_ms?: number;
}

/**
 * Builds the plugin, or finds it built from the same sources by the same Deno.
 * @throws {BuildError}
 */
export async function buildPlugin(options: BuildOptions): Promise<Built> {
  const { root, architecture = Deno.build.arch, form } = options;
  const dist = `${root}/dist`;
  await Deno.mkdir(dist, { recursive: true });
  const digest = await digestOf(root, architecture);
  const known = await readRecord(dist);
  if (known?.digest === digest && (form === undefined || form === known.form)) {
    const built = describe(root, known.form, architecture, known.reason);
    if (await allThere(built)) return { ...built, changed: false };
  }
  const version = digest.slice(0, 16);
  const { made, reason } = await make(options, root, architecture, version);
  await writeWhole(
    `${dist}/build.json`,
    JSON.stringify({ digest, form: made, reason }),
  );
  return describe(root, made, architecture, reason);
}

/** What buildPlugin() would most likely give, without building anything. */
export async function expectedPlugin(options: BuildOptions): Promise<Built> {
  const { root, architecture = Deno.build.arch, form } = options;
  const known = await readRecord(`${root}/dist`);
  const reason = await recall(root, architecture);
  const expected = form ?? known?.form ??
    (reason === undefined ? "compiled" : "portable");
  return describe(root, expected, architecture, reason ?? "");
}

async function make(
  { form, timeout_ms }: BuildOptions,
  root: string,
  architecture: Architecture,
  version: string,
): Promise<{ made: Form; reason: string }> {
  await bundlePlugin(root);
  if (form === "portable") {
    await makePortable(root, architecture, version);
    return { made: "portable", reason: "asked for" };
  }
  const remembered = form === "compiled"
    ? undefined
    : await recall(root, architecture);
  const reason = remembered ??
    await compile(
      root,
      architecture,
      timeout_ms ?? (form === "compiled" ? 300_000 : 5_000),
    );
  if (reason === undefined) {
    await forget(root, architecture);
    const folder = `${root}/dist/deno-cni-compiled`;
    await writeLaunchers(root, folder, version, startCompiled);
    return { made: "compiled", reason: "" };
  }
  if (form === "compiled") {
    throw new BuildError(
      `Cannot make the compiled form: ${reason}. Put a denort ${Deno.version.deno} ` +
        `beside ${Deno.execPath()} or name it by DENORT_BIN, or build without --compiled.`,
    );
  }
  await remember(root, architecture, reason);
  await makePortable(root, architecture, version);
  return { made: "portable", reason };
}

function describe(
  root: string,
  form: Form,
  architecture: Architecture,
  reason: string,
): Built {
  const { executable, folder } = installed;
  const dist = `${root}/dist/deno-cni-${form}`;
  const beside = (name: string, mode: string): BuiltFile => ({
    source: `${dist}/${name}`,
    target: `${folder}/${name}`,
    mode,
  });
  const launcher = {
    source: `${dist}/launcher`,
    target: executable,
    mode: "755",
  };
  if (form === "compiled") {
    return {
      form,
      architecture,
      files: [beside("deno-cni", "755"), launcher],
      line: `plugin: compiled for ${architecture}, dist/deno-cni`,
      changed: true,
    };
  }
  const deno = Deno.realPathSync(Deno.execPath());
  return {
    form,
    architecture,
    files: [
      { ...beside("deno", "755"), source: deno },
      ...commands.map((command) => beside(bundleOf(command), "644")),
      beside("deno-cni-daemon.js", "644"),
      beside("start.js", "644"),
      launcher,
    ],
    line: `plugin: portable form for ${architecture}, dist/deno-cni` +
      (reason === "asked for"
        ? ""
        : ` (no compiled one: ${reason}; --compiled tries again)`),
    changed: true,
  };
}

/**
 * A file of all modules that a call needs for each command of CNI, and one for the daemon: what
 * a call does not need would cost it time. The compiled form has two in one.
 */
async function bundlePlugin(root: string): Promise<void> {
  const folder = `${root}/dist/deno-cni-portable`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.mkdir(`${root}/dist/deno-cni-compiled`, { recursive: true });
  const call = `${folder}/${bundleOf("ADD")}`;
  const command = `${folder}/deno-cni-daemon.js`;
  try {
    await bundleCalls(`${root}/plugin/main.ts`, folder);
    await bundle(`${root}/plugin/daemon/main.ts`, command);
    const [callText, commandText] = await Promise.all(
      [call, command].map((path) => Deno.readTextFile(path)),
    );
    const both = startCompiledText
      .replace("// @CALL@", () => callText!)
      .replace("// @COMMAND@", () => commandText!);
    await writeWhole(compiledSource(root), both);
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw new BuildError(error.message, { cause: error });
  }
}

async function makePortable(
  root: string,
  architecture: Architecture,
  version: string,
): Promise<void> {
  if (architecture !== Deno.build.arch) {
    throw new BuildError(
      `Cannot make the portable form for ${architecture}: it carries this machine's ` +
        `Deno, which is for ${Deno.build.arch}. Build on a machine of that architecture, ` +
        `or with --compiled where Deno's base binary can be had.`,
    );
  }
  await assemblePortable(root);
  const folder = `${root}/dist/deno-cni-portable`;
  await writeLaunchers(root, folder, version, startPortable);
}

interface BuildRecord {
  digest: string;
  form: Form;
  reason: string;
}

async function readRecord(dist: string): Promise<BuildRecord | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(`${dist}/build.json`));
  } catch {
    return undefined; // Absent, or cut short: built again.
  }
}

async function allThere({ files }: Built): Promise<boolean> {
  const found = await Promise.all(
    files.map(({ source }) => Deno.stat(source).then(() => true, () => false)),
  );
  return found.every((is) => is);
}

/** A digest of all that the outcome depends on. */
async function digestOf(
  root: string,
  architecture: Architecture,
): Promise<string> {
  const parts = [
    Deno.version.deno,
    Deno.execPath(),
    architecture,
    launcher("", startPortable(root) + startCompiled(root)),
    startText,
    startCompiledText,
    calledText,
    ...await Promise.all(
      ["./bundle.ts", "./parting.ts"].map((name) =>
        Deno.readTextFile(new URL(name, import.meta.url))
      ),
    ),
  ];
  const names: string[] = [];
  const folders = [""];
  for (const folder of folders) {
    for await (
      const { name, isDirectory } of Deno.readDir(`${root}/plugin/${folder}`)
    ) {
      if (isDirectory) folders.push(`${folder}${name}/`);
      if (/\.ts$/.test(name) && !/_test\.ts$|_testing\.ts$/.test(name)) {
        names.push(`${folder}${name}`);
      }
    }
  }
  for (const name of names.sort()) {
    parts.push(name, await Deno.readTextFile(`${root}/plugin/${name}`));
  }
  const bytes = new TextEncoder().encode(parts.join("\0"));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}
