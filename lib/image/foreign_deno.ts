/** Deno's executable for the image, also for another processor than this machine's. */
import { cmd, CommandError, succeeded } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import type { Architecture } from "../packaging/compiled.ts";
import { BuildError } from "../stage/errors.ts";

/** A processor as npm's packages of Deno name it. */
const npmNames: Readonly<Record<Architecture, string>> = {
  x86_64: "x64",
  aarch64: "arm64",
};

/**
 * The path of an executable of the version that runs this. For another processor it comes
 * from npm, which checks it by its integrity.
 *
 * @param work a folder to put it into
 * @throws {BuildError} where npm is missing
 * @throws {CommandError} where it cannot be had
 */
export async function denoFor(
  architecture: Architecture,
  work: string,
): Promise<string> {
  if (architecture === Deno.build.arch) {
    return await Deno.realPath(Deno.execPath());
  }
  const name = `@deno/linux-${npmNames[architecture]}-glibc`;
  const flags = [
    "--no-save",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--force",
  ];
  const command =
    cmd`npm install --loglevel=error --prefix ${work} ${flags} ${`${name}@${Deno.version.deno}`}`;
  const outcome = await run(command, { timeout_ms: 300_000 });
  if (outcome.ended === "no such command") {
    throw new BuildError(
      `npm: not found: expected it, to fetch Deno for ${architecture}. As root, run: ` +
        "apt-get install --no-install-recommends npm",
    );
  }
  if (!succeeded(outcome)) {
    const why = `the image for ${architecture} has Deno for it`;
    throw new CommandError("this machine", command, outcome, why);
  }
  return `${work}/node_modules/${name}/deno`;
}
