/**
 * Settings of the kernel below /proc/sys, of the network namespace that this
 * thread is in: what Deno's own calls do happens in another thread's.
 */
import { call, close, cString, SystemError } from "./libc.ts";

const AT_FDCWD = -100;
const O_WRONLY = 1;
const O_CLOEXEC = 0o2000000;

/**
 * Writes a setting.
 * @param name such as `net/ipv6/conf/eth0/disable_ipv6`
 * @throws {SystemError} ENOENT for one that the kernel does not have
 */
export function writeSysctl(name: string, value: string): void {
  const path = cString(`/proc/sys/${name}`);
  const file = call("openat", AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
  const step = `write ${value} into /proc/sys/${name}`;
  if (file < 0) throw new SystemError(step, -file);
  const written = call("write", file, cString(value), value.length);
  close(file);
  if (written < 0) throw new SystemError(step, -written);
}
