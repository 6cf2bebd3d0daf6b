/** How full the tables are that users and groups of processes have of their own. Pure. */
import { cmd } from "../../exec/command.ts";
import { type AnswerPart, linesOf } from "../../node/parts.ts";
import type { KernelTable } from "./table.ts";

/** What each user has of inotify(7), of that user who has the most. */
export function inotifyTables(
  parts: readonly AnswerPart[],
  values: ReadonlyMap<string, readonly string[]>,
): readonly KernelTable[] {
  const watchers = linesOf(parts, "watchers").map((line) => {
    const [user = "", path = ""] = line.split(" ");
    return { user, path: path.replace("/fd/", "/fdinfo/") };
  });
  if (watchers.length === 0) return [];
  const watches = new Map(
    linesOf(parts, "watches").map((line) => {
      const colon = line.lastIndexOf(":");
      return [line.slice(0, colon), Number(line.slice(colon + 1))];
    }),
  );
  const users = [...Map.groupBy(watchers, ({ user }) => user)]
    .map(([user, own]) => ({
      user,
      instances: own.length,
      watches: own.reduce((sum, { path }) => sum + (watches.get(path) ?? 0), 0),
    }));
  return (["instances", "watches"] as const).flatMap((what) => {
    const [most] = users.toSorted((a, b) => b[what] - a[what]);
    if (most === undefined) return [];
    const setting = `fs.inotify.max_user_${what}`;
    const limit = Number(
      values.get(`/proc/sys/fs/inotify/max_user_${what}`)?.[0] ?? NaN,
    );
    const table: KernelTable = {
      name: `list of inotify's ${what} of user ${most.user}`,
      of: "processes",
      used: most[what],
      limit,
      effect: "kubelet, containerd and others that watch files fail " +
        `("${
          what === "instances"
            ? "too many open files"
            : "no space left on device"
        }")`,
      oneForAll: true,
      shownBy: cmd`sysctl ${setting}`,
      printed: `${setting} = ${limit}`,
      setting,
      widen: (limit) => cmd`sysctl -w ${`${setting}=${limit}`}`,
    };
    return [table];
  });
}

/**
 * The groups of processes that have a limit of their own (pids.max).
 *
 * @param lines of `grep -H` on pids.max, pids.current and pids.events
 */
export function cgroupTables(
  lines: readonly string[],
): readonly KernelTable[] {
  const read = (file: string) =>
    new Map(lines.flatMap((line): [string, number][] => {
      const [, folder, value] =
        new RegExp(`^(.*)/pids\\.${file}:(?:max )?(\\d+)$`).exec(line) ?? [];
      return folder === undefined ? [] : [[folder, Number(value)]];
    }));
  const [current, events] = [read("current"), read("events")];
  return [...read("max")].map(([folder, limit]): KernelTable => {
    const files = [`${folder}/pids.max`, `${folder}/pids.current`];
    const used = current.get(folder) ?? NaN;
    const refused = events.get(folder);
    const widen = (more: number) => `echo ${more} >${folder}/pids.max`;
    return {
      name: `group of processes ${folder.replace(/^\/sys\/fs\/cgroup\//, "")}`,
      of: "processes",
      used,
      limit,
      ...(refused === undefined ? {} : { refused }),
      effect: "nothing can be started in it (EAGAIN)",
      oneForAll: true,
      shownBy: cmd`grep -H . ${files}`,
      printed: `${files[0]}:${limit}\n${files[1]}:${used}`,
      setting: "pids.max",
      widen: (more) => cmd`sh -c ${widen(more)}`,
    };
  });
}
