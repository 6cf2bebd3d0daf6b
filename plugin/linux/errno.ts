/**
 * The kernel's error numbers by name. Source: errno(3), Linux
 * `include/uapi/asm-generic/errno*.h`; the same on x86_64 and aarch64.
 */

export const errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  EPIPE: 32,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  ENOTCONN: 107,
  EHOSTUNREACH: 113,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

/** `EEXIST`; `errno 200` for one without a name here. */
export function errnoName(number: number): string {
  const found = Object.entries(errno).find(([, value]) => value === number);
  return found === undefined ? `errno ${number}` : found[0];
}

/** What to do about an error number, where that can be said without knowing the step. */
export function remedy(number: number): string {
  switch (number) {
    case errno.EPERM:
    case errno.EACCES:
      return "the plugin needs CAP_NET_ADMIN and CAP_SYS_ADMIN: " +
        "run it as root, as a container runtime does";
    case errno.EROFS:
      return "the plugin has to write there: mount it for writing (/proc/sys in a container, say)";
    case errno.EOPNOTSUPP:
    case errno.EPROTONOSUPPORT:
      return "the kernel needs its bridge and veth modules: modprobe bridge veth";
    case errno.EAFNOSUPPORT:
      return "the kernel was started without this address family (ipv6.disable=1?)";
    case errno.ENOMEM:
    case errno.ENOBUFS:
    case errno.ENFILE:
    case errno.EMFILE:
      return "the node is short of memory or descriptors; try again";
    default:
      return "";
  }
}
