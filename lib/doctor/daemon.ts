/** The doctor's check of the plugin's daemon. Pure. */
import { cmd } from "../exec/command.ts";
import { type HostDaemon, wantsDaemon } from "../inventory/daemon.ts";
import { pluginFolder } from "../cni/runtime.ts";
import { onNode } from "../diagnosis/remedy.ts";
import { evidence } from "../diagnosis/evidence.ts";
import { mark } from "../net/mark.ts";
import type { Asked } from "../node/batch.ts";
import {
  type Check,
  type CheckContext,
  type Finding,
  lacking,
  shownBy,
  unclear,
} from "./check.ts";

const folder = "/run/deno-cni/daemon";
const metrics = cmd`${pluginFolder}/${mark} metrics`;

/** Why a daemon leaves calls to processes of their own, by the word of its figures; what to do. */
const reasons: Readonly<Record<string, readonly [why: string, say: string]>> = {
  ipam: [
    "the configuration names another plugin for the addresses (ipam)",
    "take ipam away and give a subnet, as stage 03 does, or bear it",
  ],
  path: [
    "a path of theirs leads elsewhere in another process",
    "give an absolute dataDir, without /proc/self and without ..",
  ],
  input: [
    "their input is long, or late",
    "nothing is to be done where such calls are few",
  ],
  rights: [
    "the runtime has another user, other rights or another umask",
    "compare /proc/PID/status of the container runtime and of the daemon",
  ],
  lock: [
    "another program keeps the leases locked",
    "see who holds the file lock beside the leases: fuser -v",
  ],
};

export const daemonCheck: Check = {
  name: "daemon",
  well: "the plugin's daemon makes the calls of the installed version",
  asks: ({ cluster, host }) =>
    host.daemon !== undefined && wantsDaemon(cluster, host.daemon) &&
      host.daemon.serving.length > 0
      ? [metrics]
      : [],
  read(context, [asked]) {
    const { cluster, host: { daemon } } = context;
    const found = daemon === undefined ? [] : openFolder(context, daemon);
    if (daemon === undefined || !wantsDaemon(cluster, daemon)) {
      if (found.length > 0) return found;
      const what = "this node is to have no daemon of the plugin";
      return [{ is: "does not apply", what }];
    }
    return [
      ...found,
      ...dead(context, daemon),
      ...(daemon.serving.length === 0 ? [] : slow(asked)),
    ];
  },
};

/** A folder that others may write to lets them answer for the daemon. */
function openFolder(
  context: CheckContext,
  daemon: HostDaemon,
): readonly Finding[] {
  if (daemon.folder === undefined) return [];
  const { mode, owner } = daemon.folder;
  if (mode === "700" && owner === 0) return [];
  const remedies = [
    onNode(context.node.name, cmd`chown root ${folder}`),
    onNode(context.node.name, cmd`chmod 700 ${folder}`),
  ];
  return [{
    is: "fault",
    what: `${folder} has the mode ${mode} and belongs to the user ${owner}: ` +
      "others than root can answer the plugin's calls",
    evidence: [shownBy(context, cmd`ls -ld ${folder}`)],
    remedies: owner === 0 ? remedies.slice(1) : remedies,
  }];
}

function dead(
  context: CheckContext,
  { installed, serving }: HostDaemon,
): readonly Finding[] {
  if (serving.some(({ version }) => version === installed)) return [];
  const seen = [shownBy(context, cmd`ls -l ${folder}`)];
  const [other] = serving;
  const what = other === undefined
    ? "the plugin's daemon does not run: each call takes a process of its own"
    : `process ${other.pid} is a daemon of version ${other.version}, and ` +
      `${installed ?? "none"} is installed: it gets no calls`;
  const found = lacking(context, "05-plugin", what, seen);
  return [found.is === "fault" ? { ...found, is: "warning" } : found];
}

/** @param asked the daemon's figures */
function slow(asked: Asked | undefined): readonly Finding[] {
  if (asked?.outcome.code !== 0) {
    return [unclear("which calls the plugin's daemon leaves to others", asked)];
  }
  const lines = asked.outcome.stdout.matchAll(
    /^deno_cni_calls_given_back_total\{reason="(\w+)"\} (\d+)$/gm,
  );
  return [...lines].flatMap(([line, reason = "", count]): Finding[] => {
    const known = reasons[reason];
    if (known === undefined) return [];
    const [why, say] = known;
    return [{
      is: "warning",
      what: `${count} calls went the slow way: ${why}`,
      evidence: [evidence(asked, line)],
      remedies: [{ say }],
    }];
  });
}
