/**
 * The lease store's file calls, all synchronous: Deno's own where it has them (binding a C function costs more than
 * they do), with errors that name the step, the file and the errno.
 */
import { CniError, code } from "./protocol.ts";

/** The disk refused a step: code 5, with the errno's name. */
export class FileError extends CniError {
  constructor(
    step: string,
    path: string,
    readonly errno: string,
    reason: string,
    options: ErrorOptions,
  ) {
    super(
      code.io,
      `Cannot ${step} ${path}: ${errno} (${reason})`,
      remedy(errno, path),
      options,
    );
  }
}

/** The text of a file; undefined when there is none. */
export function readText(path: string): string | undefined {
  return unlessAbsent("read", path, () => Deno.readTextFileSync(path));
}

/** The bytes of a file; undefined when there is none. */
export function readBytes(path: string): Uint8Array | undefined {
  return unlessAbsent("read", path, () => Deno.readFileSync(path));
}

/** Where a symbolic link leads; undefined when there is none. */
export function readSymlink(path: string): string | undefined {
  return unlessAbsent("read", path, () => Deno.readLinkSync(path));
}

/** Inode and time of the last change, in milliseconds; undefined when there is nothing. */
export function inspect(
  path: string,
): { inode: number | null; changed_ms: number } | undefined {
  return unlessAbsent("inspect", path, () => {
    const { ino, mtime } = Deno.statSync(path);
    return { inode: ino, changed_ms: mtime?.getTime() ?? NaN };
  });
}

/** Writes the file from its start; an existing one keeps its inode. */
export function overwrite(path: string, data: string | Uint8Array): void {
  attempt("write", path, () => {
    if (typeof data === "string") Deno.writeTextFileSync(path, data, readable);
    else Deno.writeFileSync(path, data, readable);
  });
}

/** Writes a new file; one of that name goes first, whatever other names it has. */
export function createAnew(path: string, text: string): void {
  const create = () =>
    Deno.writeTextFileSync(path, text, { createNew: true, ...readable });
  try {
    // Not remove() first: there is hardly ever one, and an exception costs more than all the rest.
    create();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw fileError("write", path, error);
    }
    remove(path);
    attempt("write", path, create);
  }
}

/** Gives a file a second name, atomically; false when that name is taken. */
export function link(from: string, to: string): boolean {
  try {
    Deno.linkSync(from, to);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw fileError("link", to, error);
  }
  return true;
}

/** Makes a symbolic link, in place of one that may be there. */
export function symlink(target: string, path: string): void {
  try {
    Deno.symlinkSync(target, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw fileError("link", path, error);
    }
    remove(path);
    attempt("link", path, () => Deno.symlinkSync(target, path));
  }
}

/** False when there was nothing to remove. */
export function remove(path: string): boolean {
  try {
    Deno.removeSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw fileError("remove", path, error);
  }
}

/** Removes a folder and all that is in it, if it is there. */
export function removeFolder(path: string): void {
  unlessAbsent(
    "remove",
    path,
    () => Deno.removeSync(path, { recursive: true }),
  );
}

/** Makes a folder and those above it, as far as they are missing. */
export function makeFolders(path: string): void {
  attempt("make", path, () => {
    Deno.mkdirSync(path, { recursive: true, mode: 0o755 });
  });
}

/** Sets the time of the last change, in seconds since 1970. */
export function setChanged(path: string, time_s: number): void {
  attempt("set the time of", path, () => Deno.utimeSync(path, time_s, time_s));
}

/** Opens a file for locking; makes it when it is missing, and its folder too. */
export function openLock(path: string): Deno.FsFile {
  const open = () =>
    Deno.openSync(path, { read: true, write: true, create: true, ...readable });
  const file = unlessAbsent("open", path, open);
  if (file !== undefined) return file;
  makeFolders(path.slice(0, path.lastIndexOf("/")));
  return attempt("open", path, open);
}

/**
 * Calls, and turns what the kernel says into a FileError.
 * @throws {FileError}
 */
export function attempt<T>(step: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw fileError(step, path, error);
  }
}

/** What the reference creates its files with, before the umask. */
const readable = { mode: 0o644 };

/** As attempt; undefined for ENOENT. */
function unlessAbsent<T>(
  step: string,
  path: string,
  call: () => T,
): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw fileError(step, path, error);
  }
}

function fileError(step: string, path: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const errno = (error as { code?: unknown }).code;
  if (typeof errno !== "string") return error;
  // Deno: "No space left on device (os error 28): writefile '/run/…'"
  const end = error.message.indexOf(" (os error");
  const reason = end < 0 ? error.message : error.message.slice(0, end);
  return new FileError(step, path, errno, reason, { cause: error });
}

function remedy(errno: string, path: string): string {
  const folder = path.slice(0, path.lastIndexOf("/"));
  switch (errno) {
    case "ENOSPC":
    case "EDQUOT":
      return `The disk is full: free space or inodes there (df -h ${folder}; df -i ${folder}), then try again`;
    case "EROFS":
      return `Mount the file system of ${folder} for writing, or set dataDir to a folder that can be written`;
    case "EACCES":
    case "EPERM":
      return `Run the plugin as root, or give its user ${folder}`;
    case "EXDEV":
      return "Leases and their index must be on one file system: do not mount one below dataDir";
    case "ENOTDIR":
    case "EEXIST":
      return `Something that is no folder has the name of a folder in ${path}: remove it, or set another dataDir`;
    case "EMFILE":
    case "ENFILE":
    case "ENOMEM":
      return "The node is short of memory or open files: try again";
    default:
      return `Look at ${path} and at the kernel's log (dmesg)`;
  }
}
