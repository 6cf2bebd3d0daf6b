/** Which test files run together, in one `deno test`. */

/** Test files that one `deno test` runs. */
export interface TestGroup {
  readonly name: string;
  /** The one file, or those that a file of nothing but imports brings together. */
  readonly files: readonly string[];
}

/** A file by itself. */
export function alone(file: string, root: string): TestGroup {
  return { name: file.replace(`${root}/`, ""), files: [file] };
}

/**
 * Quick tests together, dealt to a number of groups: most of what they take
 * is the loading of the same modules, which a group does once.
 *
 * @param files absolute paths
 * @returns as many groups as are asked for, or fewer where there are few files
 */
export function together(
  files: readonly string[],
  groups: number,
): TestGroup[] {
  return Array.from({ length: Math.min(groups, files.length) }, (_, index) => {
    const dealt = files.filter((_file, at) => at % groups === index);
    return { name: `${dealt.length} files of quick tests`, files: dealt };
  });
}

/** The program that brings a group's files together. */
export function importsOf(files: readonly string[]): string {
  return files.map((file) => `import ${JSON.stringify(file)};\n`).join("");
}
