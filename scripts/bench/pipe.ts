/** Feeds what is measured its stdin by a pipe, as container runtimes do. */
import { call, close, outgoing } from "../../plugin/linux/libc.ts";
import { ownPipe } from "../../plugin/linux/pipes.ts";

/**
 * Puts a pipe that holds a text, and whose writer is gone, in the place of this
 * process's stdin, for the next child that inherits it.
 * @throws {RangeError} for one that does not fit into a pipe
 */
export function feedPipe(text: string): void {
  const bytes = new TextEncoder().encode(text);
  const { reading, writing } = ownPipe();
  const written = call("write", writing, outgoing(bytes), bytes.length);
  if (written !== bytes.length) {
    throw new RangeError(`${bytes.length} bytes do not go into a pipe`);
  }
  close(writing);
  // Without O_NONBLOCK: the flag is the open file's, and no program counts on it for its stdin.
  const F_SETFL = 4;
  call("fcntl", reading, F_SETFL, 0);
  call("dup3", reading, 0, 0);
  close(reading);
}
