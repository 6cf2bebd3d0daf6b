/**
 * A bundle that still finds the files which lay beside its modules: in the image they lie
 * under the bundle's folder as they lie under the project's.
 */
import { BuildError } from "../stage/errors.ts";

/** A module of a bundle. */
interface BundledModule {
  /** From the project's root; undefined for a package's. */
  readonly path: string | undefined;
  /** Relative to the folder that the bundler ran in. */
  readonly source: string;
  readonly text: string;
}

/**
 * Parts a bundle into its modules.
 *
 * @param bundled what `deno bundle --format esm` writes: a line `// <path>` before each module,
 *   relative to the folder that it ran in, the project's root
 * @throws {BuildError} for a text of another form
 */
export function modulesOf(bundled: string): readonly BundledModule[] {
  const [opening = "", ...rest] = bundled.split(
    /^(?=\/\/ \S+\.[cm]?[jt]sx?$)/m,
  );
  if (rest.length === 0) {
    throw new BuildError(
      'Cannot find the modules of the bundle: expected a line "// <path>" before each, ' +
        "as deno bundle --format esm writes",
    );
  }
  return [
    { path: undefined, source: "", text: opening },
    ...rest.map((text): BundledModule => {
      const source = text.slice(3, text.indexOf("\n"));
      const isOwn = /^(lib|plugin|scripts)\//.test(source);
      return { path: isOwn ? source : undefined, source, text };
    }),
  ];
}

/** The bundle, with each module of the project at its own place under the bundle's folder. */
export function relocated(modules: readonly BundledModule[]): string {
  return modules.map(({ path, text }) => {
    // Where a package lies differs from machine to machine.
    if (path === undefined) return text.replace(/^\/\/ \S*\/npm\//, "// npm/");
    const folder = path.replace(/\/[^/]*$/, "");
    return text
      .replaceAll("import.meta.url", `new URL("${path}", import.meta.url).href`)
      .replaceAll(
        "import.meta.dirname",
        `(import.meta.dirname + "/${folder}")`,
      );
  }).join("");
}

/** The folders, from the project's root, of which a module reads files that are no modules. */
export function foldersRead(
  modules: readonly BundledModule[],
): readonly string[] {
  const reading = modules.flatMap(({ path, text }) =>
    path !== undefined && /\bimport\.meta\.(url|dirname)\b/.test(text)
      ? [path.replace(/\/[^/]*$/, "")]
      : []
  );
  return [...new Set(reading)].toSorted();
}

/**
 * The files beside them that modules load by require(), each relative to the folder that the
 * bundler ran in: where it cannot tell what they export, the bundler leaves them out.
 */
export function requiredFiles(
  modules: readonly Pick<BundledModule, "source" | "text">[],
): readonly string[] {
  const found = modules.flatMap(({ source, text }) =>
    [...text.matchAll(/\brequire\w*\((["'])\.\/([\w.-]+)\1\)/g)]
      .map(([, , name]) => source.replace(/[^/]*$/, name ?? ""))
  );
  return [...new Set(found)];
}
