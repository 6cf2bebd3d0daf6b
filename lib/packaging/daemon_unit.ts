/** The systemd unit that keeps the plugin's daemon running on a node. */
import { installed } from "./launcher.ts";

/** Its name, and where it lies. */
export const daemonUnit = {
  name: "deno-cni-daemon.service",
  path: "/etc/systemd/system/deno-cni-daemon.service",
};

/**
 * What the daemon may do beyond what any process may: make links, enter the
 * namespaces of pods, and look into launchers, which have more rights than it.
 */
export const capabilities = [
  "CAP_NET_ADMIN",
  "CAP_SYS_ADMIN",
  "CAP_SYS_PTRACE",
];

/**
 * The unit's text. Nothing in it may give the daemon a mount namespace of its
 * own, as ProtectSystem=, PrivateTmp=, ProtectKernelModules= and their like do:
 * a launcher goes on without a daemon that sees other files than it does.
 * Just-in-time compilation forbids MemoryDenyWriteExecute=.
 */
export function daemonUnitText(): string {
  return `[Unit]
Description=CNI plugin deno-cni: the process that makes its calls
# Calls that come before it is there, or after it, are made by processes of their own.
Before=containerd.service crio.service kubelet.service
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${installed.executable} daemon
# All calls are answered before it ends; it takes 5 s at most. After an update this
# executable is of another version than the daemon: it goes by its process.
ExecStop=${installed.executable} daemon stop $MAINPID
Restart=always
RestartSec=100ms
TimeoutStopSec=15s
MemoryMax=256M
TasksMax=32
LimitNOFILE=1024
OOMScoreAdjust=-900
UMask=0022

CapabilityBoundingSet=${capabilities.join(" ")}
NoNewPrivileges=yes
RestrictNamespaces=net
RestrictAddressFamilies=AF_NETLINK AF_UNIX
IPAddressDeny=any
DevicePolicy=closed
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=~@clock @cpu-emulation @debug @keyring @module @mount @obsolete
SystemCallFilter=~@raw-io @reboot @swap
ProtectClock=yes
ProtectHostname=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
KeyringMode=private

[Install]
WantedBy=multi-user.target
`;
}
