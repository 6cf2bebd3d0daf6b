/** The page's files, put together once: one program, one style sheet, nothing from elsewhere. */
import { cmd, ending, succeeded } from "../exec/command.ts";
import { projectRoot } from "../exec/project_root.ts";
import { run } from "../exec/run.ts";
import { StepError } from "../stage/errors.ts";

/** A file as it is sent. */
export interface Asset {
  readonly type: string;
  /** Compressed (gzip). */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Bundles the page.
 *
 * @returns its files, by their path on the server
 * @throws {StepError}
 */
export async function pageAssets(): Promise<ReadonlyMap<string, Asset>> {
  const folder = await Deno.makeTempDir({ prefix: "deno-cni-studio-" });
  try {
    const entry = `${projectRoot}/lib/studio/page/main.ts`;
    const deno = [Deno.execPath(), "bundle", "--quiet", "--platform=browser"];
    const command = cmd`${deno} --minify --outdir ${folder} ${entry}`;
    const outcome = await run(command, { cwd: projectRoot });
    if (!succeeded(outcome)) {
      throw new StepError(
        `Cannot bundle the page: ${
          ending(outcome)
        }: ${outcome.stderr.trim()}\n` +
          "what to do: deno bundle fetches its bundler (npm:esbuild) at its first " +
          "run; make studio once with a network, and it needs none from then on",
      );
    }
    const page = `${projectRoot}/lib/studio/page/page.html`;
    return new Map([
      ["/", await asset(page, "text/html; charset=utf-8")],
      ["/main.js", await asset(`${folder}/main.js`, "text/javascript")],
      ["/main.css", await asset(`${folder}/main.css`, "text/css")],
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function asset(path: string, type: string): Promise<Asset> {
  const file = await Deno.open(path);
  const packed = file.readable.pipeThrough(new CompressionStream("gzip"));
  return { type, bytes: await new Response(packed).bytes() };
}
