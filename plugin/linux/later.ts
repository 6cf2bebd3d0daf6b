/**
 * A system call in a thread of its own, for one that the kernel makes wait. The
 * thread stays in the network namespace of the one that started it, so nothing
 * here may be called between entering a pod's and coming back.
 */

import { systemCalls } from "./system_calls.ts";

const interface_ = {
  syscall: {
    parameters: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"],
    result: "i32",
    nonblocking: true,
  },
} as const;

let symbols:
  | Deno.DynamicLibrary<typeof interface_>["symbols"]
  | undefined;

/**
 * Sends one datagram without waiting until the other side has worked through
 * it, as netlink does within sendto(2).
 * @returns once that is done; -1 for a failure
 */
export async function sendLater(
  socket: number,
  datagram: Uint8Array<ArrayBuffer>,
): Promise<number> {
  symbols ??= Deno.dlopen("libc.so.6", interface_).symbols;
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(datagram));
  const length = BigInt(datagram.length);
  const { sendto } = systemCalls[Deno.build.arch];
  const result = await symbols.syscall(
    BigInt(sendto),
    BigInt(socket),
    address,
    length,
    0n,
    0n,
    0n,
  );
  // Until here the datagram must not be collected: this use of it keeps it.
  return datagram.length === 0 ? -1 : result;
}
