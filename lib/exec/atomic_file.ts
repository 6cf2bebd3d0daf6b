/** Files of this machine: there whole, or not at all. */

/**
 * Writes a file by way of a neighbour that is renamed (rename(2)).
 *
 * @param mode as chmod(2) takes it
 */
export async function writeWhole(
  path: string,
  content: string,
  mode = 0o644,
): Promise<void> {
  await Deno.writeTextFile(`${path}.tmp`, content);
  await Deno.chmod(`${path}.tmp`, mode);
  await Deno.rename(`${path}.tmp`, path);
}

/** For a removal: there is nothing to remove, which is as well. */
export function ignoreAbsent(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** Whether there is something at a path. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    ignoreAbsent(error);
    return false;
  }
}
