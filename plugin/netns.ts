/**
 * The pod's network namespace, and the way into it and back.
 */

import { errno } from "./linux/errno.ts";
import { type Kernel, openKernel } from "./netlink/rtnetlink.ts";
import {
  close,
  enterNetwork,
  identity,
  openFile,
  SystemError,
} from "./linux/libc.ts";
import { CniError, code } from "./cni/protocol.ts";

/** A pod's network namespace. */
export interface Sandbox {
  /** CNI_NETNS. */
  readonly path: string;
  readonly descriptor: number;
  /** A conversation with the kernel about it, held from outside. */
  readonly kernel: Kernel;
}

/** This thread's namespace; /proc/self would be the process's first thread's. */
const ownPath = "/proc/thread-self/ns/net";

/**
 * Opens the pod's namespace, which stays open until the process ends.
 * @param path CNI_NETNS
 * @param allowOwn CNI_NETNS_OVERRIDE: it may be the node's own
 * @throws {CniError} 3 when it is gone, 4 when it is no network namespace, 8
 * when it is the node's own
 */
export function openSandbox(path: string, allowOwn: boolean): Sandbox {
  const descriptor = openNamespace(path);
  const own = openFile(ownPath);
  try {
    if (!allowOwn && identity(descriptor) === identity(own)) {
      throw new CniError(
        code.ownNamespace,
        `CNI_NETNS ${path} is the node's own network namespace`,
        "a pod on the node's network needs no CNI plugin; " +
          "CNI_NETNS_OVERRIDE=1 allows it all the same",
      );
    }
    const kernel = within({ path, descriptor }, openKernel, own);
    return { path, descriptor, kernel };
  } finally {
    close(own);
  }
}

function openNamespace(path: string): number {
  try {
    return openFile(path);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno === errno.ENOENT || error.errno === errno.ENOTDIR) {
      throw new CniError(
        code.noContainer,
        `CNI_NETNS ${path} does not exist`,
        "the pod is gone, or its runtime sees another /proc or /run than the plugin",
        { cause: error },
      );
    }
    throw error;
  }
}

/**
 * Runs something in the pod's namespace. It must be synchronous and may use
 * nothing of Deno's that does its work in another thread.
 */
export function within<T>(
  { path, descriptor }: Pick<Sandbox, "path" | "descriptor">,
  body: () => T,
  back: number = openFile(ownPath),
): T {
  try {
    enterNetwork(descriptor);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== errno.EINVAL) {
      throw error;
    }
    throw new CniError(
      code.environment,
      `CNI_NETNS ${path} is no network namespace`,
      "a path such as /var/run/netns/NAME or /proc/PID/ns/net is expected",
      { cause: error },
    );
  }
  try {
    return body();
  } finally {
    enterNetwork(back);
  }
}
