/** Shell programs that lie in files of their own. */

/**
 * A shell program that lies beside the module which hands it to a node, as the
 * text that `sh -c` takes.
 *
 * @param name the file, relative to the module
 * @param module its import.meta.url
 * @returns the program without the lines at its head that tell readers what it is
 */
export function shellProgram(name: string, module: string): string {
  const text = Deno.readTextFileSync(new URL(name, module));
  return text.replace(/^(?:#.*\n)+/, "").trimEnd();
}
