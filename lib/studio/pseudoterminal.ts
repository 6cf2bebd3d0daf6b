/**
 * A pseudoterminal (pty(7)) and a command on it. Deno has none of its own, so
 * the C library is asked.
 */
import type { Command } from "../exec/command.ts";

/** How large a terminal is, in characters. */
export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** A command at a terminal of its own. */
export interface Pseudoterminal {
  /** What it prints; ends when nothing has the terminal open any more. */
  readonly output: ReadableStream<Uint8Array>;
  /** Types. */
  readonly write: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>;
  readonly resize: (size: TerminalSize) => void;
  /** Hangs up, as a terminal's window does that is closed. */
  readonly close: () => void;
  /** The command's exit code. */
  readonly ended: Promise<number>;
}

/** This machine gives no terminal. */
export class TerminalError extends Error {
  override readonly name = "TerminalError";
}

/** Of Linux, on all machines that Deno is made for (asm-generic/fcntl.h, ioctls.h, poll.h). */
const linux = {
  O_RDWR: 0o2,
  O_NOCTTY: 0o400,
  O_CLOEXEC: 0o2000000,
  TIOCSWINSZ: 0x5414n,
  POLLIN: 1,
};

/** How long a wait lasts before it is seen that the terminal was closed. */
const wait_ms = 500;

function openLibrary() {
  return Deno.dlopen("libc.so.6", {
    posix_openpt: { parameters: ["i32"], result: "i32" },
    grantpt: { parameters: ["i32"], result: "i32" },
    unlockpt: { parameters: ["i32"], result: "i32" },
    ptsname_r: { parameters: ["i32", "buffer", "usize"], result: "i32" },
    ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
    poll: {
      parameters: ["buffer", "u64", "i32"],
      result: "i32",
      nonblocking: true,
    },
    read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    write: {
      parameters: ["i32", "buffer", "usize"],
      result: "isize",
      nonblocking: true,
    },
    close: { parameters: ["i32"], result: "i32" },
  });
}

/** How long a command may take to end that was hung up. */
const patience_ms = 2000;

let library: ReturnType<typeof openLibrary> | undefined;

/**
 * Starts a command at a terminal of its own, whose session it leads.
 *
 * @throws {TerminalError}
 */
export function openTerminal(
  command: Command,
  env: Readonly<Record<string, string>>,
  size: TerminalSize,
): Pseudoterminal {
  const { fd, path } = openPair();
  const { symbols } = library!;
  setSize(fd, size);
  const child = new Deno.Command("sh", {
    // Nothing but this opens the other end; setsid makes it the session's own.
    args: [
      ...["-c", 'exec setsid --ctty "$@" <>"$0" >&0 2>&0', path],
      ...command.argv,
    ],
    env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let closed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const ended = child.status.then(({ code }) => {
    clearTimeout(timer);
    return code;
  });
  const hangUp = () => {
    if (closed) return;
    closed = true;
    signal(child, "SIGHUP");
    timer = setTimeout(() => signal(child, "SIGKILL"), patience_ms);
  };
  const buffer = new Uint8Array(65_536);
  const more = async (): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    while (!closed) {
      if (await isReadable(fd) === false) continue;
      // Where all of its other end is closed, this fails (EIO).
      const count = Number(symbols.read(fd, buffer, BigInt(buffer.length)));
      return count > 0 ? buffer.slice(0, count) : undefined;
    }
    return undefined;
  };
  let written = Promise.resolve();
  const output = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const bytes = await more();
      if (bytes !== undefined) return controller.enqueue(bytes);
      closed = true;
      // What still has the terminal is sent SIGHUP by the kernel.
      symbols.close(fd);
      controller.close();
    },
    cancel: hangUp,
  });
  return {
    output,
    write(bytes) {
      // Each in a thread of its own, they would overtake each other.
      written = written.then(() => writeAll(fd, bytes, () => closed));
      return written;
    },
    resize: (size) => {
      if (!closed) setSize(fd, size);
    },
    close: hangUp,
    ended,
  };
}

async function writeAll(
  fd: number,
  bytes: Uint8Array<ArrayBuffer>,
  isClosed: () => boolean,
): Promise<void> {
  for (let at = 0; at < bytes.length && !isClosed();) {
    const rest = bytes.subarray(at);
    const length = BigInt(rest.length);
    const count = await library?.symbols.write(fd, rest, length) ?? 0n;
    if (count <= 0n) return;
    at += Number(count);
  }
}

function signal(child: Deno.ChildProcess, name: Deno.Signal): void {
  try {
    child.kill(name);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // It has ended.
  }
}

/** @throws {TerminalError} */
function openPair(): { readonly fd: number; readonly path: string } {
  try {
    library ??= openLibrary();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new TerminalError(`No terminal here: ${error.message}`);
  }
  const { symbols } = library;
  const fd = symbols.posix_openpt(
    linux.O_RDWR | linux.O_NOCTTY | linux.O_CLOEXEC,
  );
  const name = new Uint8Array(64);
  const isOpen = fd >= 0 && symbols.grantpt(fd) === 0 &&
    symbols.unlockpt(fd) === 0 &&
    symbols.ptsname_r(fd, name, BigInt(name.length)) === 0;
  if (isOpen) {
    const path = new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
    return { fd, path };
  }
  if (fd >= 0) symbols.close(fd);
  throw new TerminalError("No terminal here: /dev/ptmx cannot be opened");
}

/** `struct winsize` (ioctl_tty(2)). */
function setSize(fd: number, { columns, rows }: TerminalSize): void {
  library?.symbols.ioctl(
    fd,
    linux.TIOCSWINSZ,
    new Uint16Array([rows, columns, 0, 0]),
  );
}

/** Waits until there is something to read or the other end is gone; false after a while. */
async function isReadable(fd: number): Promise<boolean> {
  // `struct pollfd` (poll(2)).
  const asked = new DataView(new ArrayBuffer(8));
  asked.setInt32(0, fd, true);
  asked.setInt16(4, linux.POLLIN, true);
  const found = await library?.symbols.poll(
    new Uint8Array(asked.buffer),
    1n,
    wait_ms,
  );
  return found !== 0;
}
