/**
 * Builds the plugin into `dist/`: as one executable (the compiled form), or,
 * where Deno's base binary for that (`denort`) cannot be had, as the portable
 * form: Deno itself, one bundled file and a launcher of a few lines.
 */
import { bundle, BundleError } from "./bundle.ts";
import {
  cmd,
  type Command,
  ending,
  type Outcome,
  quote,
  run,
  succeeded,
} from "./command.ts";

export type Form = "compiled" | "portable";

/** The processors that nodes may have, as `uname -m` and Deno name them. */
export type Architecture = "x86_64" | "aarch64";

/** A file to be put on a node. */
export interface BuiltFile {
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

export interface BuildOptions {
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

/** A plugin that cannot be built; the message says what to do. */
export class BuildError extends Error {
  override readonly name = "BuildError";
}

/** Where the plugin lies on a node: the runtime's folder, and one for what the launcher starts. */
const installed = {
  executable: "/opt/cni/bin/deno-cni",
  folder: "/opt/cni/lib/deno-cni",
};

/**
 * What the plugin may do. With FFI allowed the rest is no sandbox; it is there
 * against mistakes.
 */
const permissions = [
  "--no-prompt",
  "--allow-env=CNI_*",
  "--allow-read",
  "--allow-write",
  "--allow-run",
  "--allow-ffi",
];

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
  const { made, reason } = await make(options, root, architecture);
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
): Promise<{ made: Form; reason: string }> {
  await bundlePlugin(root);
  if (form === "portable") {
    await assemblePortable(root, architecture);
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
    return { made: "compiled", reason: "" };
  }
  if (form === "compiled") {
    throw new BuildError(
      `Cannot make the compiled form: ${reason}. Put a denort ${Deno.version.deno} beside ${Deno.execPath()} or name it by DENORT_BIN, or build without --compiled.`,
    );
  }
  await remember(root, architecture, reason);
  await assemblePortable(root, architecture);
  return { made: "portable", reason };
}

function describe(
  root: string,
  form: Form,
  architecture: Architecture,
  reason: string,
): Built {
  const { executable, folder } = installed;
  if (form === "compiled") {
    return {
      form,
      architecture,
      files: [{
        source: `${root}/dist/deno-cni`,
        target: executable,
        mode: "755",
      }],
      line: `plugin: compiled for ${architecture}, dist/deno-cni`,
      changed: true,
    };
  }
  const portable = `${root}/dist/deno-cni-portable`;
  return {
    form,
    architecture,
    files: [
      {
        source: Deno.realPathSync(Deno.execPath()),
        target: `${folder}/deno`,
        mode: "755",
      },
      {
        source: `${portable}/start.js`,
        target: `${folder}/start.js`,
        mode: "644",
      },
      {
        source: `${portable}/deno-cni.js`,
        target: `${folder}/deno-cni.js`,
        mode: "644",
      },
      { source: `${portable}/launcher`, target: executable, mode: "755" },
    ],
    line: `plugin: portable form for ${architecture}, dist/deno-cni` +
      (reason === "asked for"
        ? ""
        : ` (no compiled one: ${reason}; --compiled tries again)`),
    changed: true,
  };
}

/** One file of all modules, for the portable form and as what is compiled. */
async function bundlePlugin(root: string): Promise<void> {
  const folder = `${root}/dist/deno-cni-portable`;
  await Deno.mkdir(folder, { recursive: true });
  try {
    await bundle(`${root}/plugin/main.ts`, `${folder}/deno-cni.js`);
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw new BuildError(error.message, { cause: error });
  }
}

/**
 * The command that compiles; for the tests, which run it as far as it goes
 * without a base binary.
 */
export function compileCommand(
  root: string,
  architecture: Architecture,
  output: string,
): Command {
  const deno = Deno.execPath();
  const target = `${architecture}-unknown-linux-gnu`;
  const source = `${root}/dist/deno-cni-portable/deno-cni.js`;
  return cmd`env NO_COLOR=1 ${deno} compile --quiet --no-config --no-check --no-code-cache ${permissions} --target ${target} --output ${output} ${source}`;
}

/** @returns why there is no executable, or undefined when there is one */
async function compile(
  root: string,
  architecture: Architecture,
  timeout_ms: number,
): Promise<string | undefined> {
  const output = `${root}/dist/deno-cni.tmp`;
  const outcome = await run(compileCommand(root, architecture, output), {
    timeout_ms,
  });
  if (!succeeded(outcome)) return whyNot(outcome, timeout_ms);
  const wrong = architecture === Deno.build.arch
    ? await tryOut(output)
    : undefined;
  if (wrong !== undefined) {
    await Deno.remove(output);
    return wrong;
  }
  await Deno.rename(output, `${root}/dist/deno-cni`);
  return undefined;
}

function whyNot(outcome: Outcome, timeout_ms: number): string {
  const { ended, stderr } = outcome;
  if (ended === "timed out") {
    return `Deno's base binary (denort) did not come within ${
      timeout_ms / 1000
    } s`;
  }
  if (
    stderr.includes("base binary") && stderr.includes("error sending request")
  ) {
    return "Deno's base binary (denort) cannot be fetched from here";
  }
  const line = stderr.split("\n").find((line) => line.startsWith("error: "));
  return line?.replace("error: ", "") ?? ending(outcome);
}

/** Asks a freshly made executable for its VERSION; gives what is wrong with its answer. */
async function tryOut(executable: string): Promise<string | undefined> {
  const outcome = await run(cmd`${executable}`, {
    timeout_ms: 5_000,
    env: { CNI_COMMAND: "VERSION" },
  });
  if (succeeded(outcome) && outcome.stdout.includes('"supportedVersions"')) {
    return undefined;
  }
  return "what deno compile wrote does not answer VERSION; is DENORT_BIN no denort?";
}

async function assemblePortable(
  root: string,
  architecture: Architecture,
): Promise<void> {
  if (architecture !== Deno.build.arch) {
    throw new BuildError(
      `Cannot make the portable form for ${architecture}: it carries this machine's Deno, which is for ${Deno.build.arch}. Build on a machine of that architecture, or with --compiled where Deno's base binary can be had.`,
    );
  }
  const portable = `${root}/dist/deno-cni-portable`;
  await Deno.remove(`${portable}/deno`).catch(ignoreAbsent);
  await Deno.symlink(Deno.realPathSync(Deno.execPath()), `${portable}/deno`);
  await writeWhole(`${portable}/start.js`, start);
  await writeWhole(`${portable}/launcher`, launcher(installed.folder), 0o755);
  await writeWhole(`${root}/dist/deno-cni`, launcher(portable), 0o755);
}

/** For V8: no threads of its own, and no time spent on sparing registers in what runs once. */
const v8Flags = "--single-threaded,--no-ignition-reo";

/**
 * For glibc, mallopt(3): take memory from the kernel in large pieces and keep
 * it, so that it comes in few page faults.
 */
const mallocTunables = [
  "hugetlb=1",
  "arena_max=1",
  "top_pad=2097152",
  "trim_threshold=16777216",
  "mmap_threshold=33554432",
].map((tunable) => `glibc.malloc.${tunable}`).join(":");

/**
 * The executable of the portable form, for the folder that holds the rest. A
 * DENO_DIR that cannot exist makes Deno keep its caches in memory: nothing to
 * write, and no locks for concurrent starts to wait for. plugin/README.md has
 * what was measured.
 */
function launcher(folder: string): string {
  return `#!/bin/sh
# Starts the plugin with its own Deno, whatever PATH, HOME and the working directory are.
DENO_DIR=/dev/null/none DENO_NO_UPDATE_CHECK=1 HOME=/ \\
GLIBC_TUNABLES=${mallocTunables} \\
exec ${
    quote(`${folder}/deno`)
  } run --quiet --no-config --no-lock --no-npm --no-remote --no-code-cache \\
  --v8-flags=${v8Flags} ${permissions.map(quote).join(" ")} \\
  ${quote(`${folder}/start.js`)}
`;
}

/**
 * What the launcher has Deno run. Deno takes a module apart to find its imports
 * before V8 does it again to run it; in a text that is evaluated it finds none
 * to look for, which saves a quarter of an ADD.
 */
const start = `// Runs deno-cni.js, which lies beside this file.
(0, eval)(Deno.readTextFileSync(import.meta.dirname + "/deno-cni.js"));
`;

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
    launcher(root),
    start,
    await Deno.readTextFile(new URL("./bundle.ts", import.meta.url)),
  ];
  const names: string[] = [];
  for await (const { name } of Deno.readDir(`${root}/plugin`)) {
    if (/\.ts$/.test(name) && !/_test\.ts$|_testing\.ts$/.test(name)) {
      names.push(name);
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

/** Where it is kept that the base binary could not be had. */
function memory(root: string, architecture: Architecture): string {
  return `${root}/.tools/no-denort-${Deno.version.deno}-${architecture}`;
}

async function recall(
  root: string,
  architecture: Architecture,
): Promise<string | undefined> {
  // Somebody has named one since.
  if (Deno.env.get("DENORT_BIN") !== undefined) return undefined;
  try {
    return (await Deno.readTextFile(memory(root, architecture))).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function remember(
  root: string,
  architecture: Architecture,
  reason: string,
): Promise<void> {
  await Deno.mkdir(`${root}/.tools`, { recursive: true });
  await writeWhole(memory(root, architecture), `${reason}\n`);
}

async function forget(root: string, architecture: Architecture): Promise<void> {
  await Deno.remove(memory(root, architecture)).catch(ignoreAbsent);
}

function ignoreAbsent(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** Writes a file that is there whole or not at all. */
async function writeWhole(
  path: string,
  content: string,
  mode = 0o644,
): Promise<void> {
  await Deno.writeTextFile(`${path}.tmp`, content);
  await Deno.chmod(`${path}.tmp`, mode);
  await Deno.rename(`${path}.tmp`, path);
}
