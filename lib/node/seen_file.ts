/**
 * Files of a node that this machine sees in a folder of its own: read and written
 * without a process. What does not go this way is left to a command on the node,
 * which tells what is wrong.
 */

/** A file's text; undefined where it cannot be had this way. */
export async function readSeen(
  root: string,
  path: string,
): Promise<string | undefined> {
  return await orUndefined(async () => {
    const isFile = leadsNowhereElse(root, path) &&
      (await Deno.lstat(`${root}${path}`)).isFile;
    return isFile ? await Deno.readTextFile(`${root}${path}`) : undefined;
  });
}

/**
 * Writes a file in a folder that is there, renamed into place.
 *
 * @returns whether it was
 */
export async function writeSeen(
  root: string,
  path: string,
  content: string | Uint8Array,
  mode = 0o644,
): Promise<boolean> {
  const written = await orUndefined(async () => {
    if (!leadsNowhereElse(root, path)) return undefined;
    const made = `${root}${path}.new`;
    // Of a run that was cut off. A link would be followed, so that it is not written over.
    await Deno.remove(made).catch(() => {});
    const bytes = typeof content === "string"
      ? new TextEncoder().encode(content)
      : content;
    await Deno.writeFile(made, bytes, { createNew: true });
    await Deno.chmod(made, mode);
    await Deno.rename(made, `${root}${path}`);
    return true;
  });
  return written ?? false;
}

/** Whether no folder on the way is a link: an absolute one leads to this machine's own files. */
function leadsNowhereElse(root: string, path: string): boolean {
  const names = path.split("/").slice(1, -1);
  return names.every((_, at) =>
    Deno.lstatSync(`${root}/${names.slice(0, at + 1).join("/")}`).isDirectory
  );
}

async function orUndefined<Result>(
  body: () => Promise<Result | undefined>,
): Promise<Result | undefined> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}
