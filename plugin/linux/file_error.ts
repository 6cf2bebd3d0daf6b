/**
 * A file or folder that the disk refuses, with what to do about it.
 */
import { errno } from "./errno.ts";
import { SystemError } from "./libc.ts";

/** A step on a file that the kernel refused. */
export class FileError extends SystemError {
  override readonly name = "FileError";
  /** What to do about it. */
  readonly details: string;

  /** @param number the kernel's errno, positive */
  constructor(step: string, path: string, number: number) {
    super(`Cannot ${step} ${path}`, number);
    this.details = remedyAt(path, number);
  }
}

function remedyAt(path: string, number: number): string {
  const folder = path.slice(0, path.lastIndexOf("/"));
  switch (number) {
    case errno.ENOSPC:
    case errno.EDQUOT:
      return "The disk is full: free space or inodes there " +
        `(df -h ${folder}; df -i ${folder}), then try again`;
    case errno.EROFS:
      return `Mount the file system of ${folder} for writing, ` +
        "or set dataDir to a folder that can be written";
    case errno.EACCES:
    case errno.EPERM:
      return `Run the plugin as root, or give its user ${folder}`;
    case errno.EXDEV:
      return "Leases and their index must be on one file system: " +
        "do not mount one below dataDir";
    case errno.ENOTDIR:
    case errno.EEXIST:
      return "Something that is no folder has the name of a folder in " +
        `${path}: remove it, or set another dataDir`;
    case errno.EMFILE:
    case errno.ENFILE:
    case errno.ENOMEM:
      return "The node is short of memory or open files: try again";
    default:
      return `Look at ${path} and at the kernel's log (dmesg)`;
  }
}
