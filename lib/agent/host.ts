/**
 * The agent's own machine: this very root, or, in a container, the folder at which
 * the machine's root is mounted. Commands are the machine's own, by chroot(1): the
 * same iptables and the same lock as the kubelet's and kube-proxy's.
 */
import { cmd, type Command, CommandError } from "../exec/command.ts";
import { runLean } from "../exec/run_lean.ts";
import { localNode, type Node } from "../node/node.ts";

/**
 * The machine that the agent runs on, as a node.
 *
 * @param root where the machine's root is seen; "/" outside of a container
 */
export function hostNode(name: string, root: string): Node {
  if (root === "/") return { ...localNode(name), root: () => "" };
  const folder = root.replace(/\/$/, "");
  const enter = (command: Command): Command => ({
    ...command,
    argv: ["chroot", folder, ...command.argv],
  });
  const environment = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/root",
    LANG: "C",
    // In a container systemctl sees another root than that of process 1.
    SYSTEMD_IGNORE_CHROOT: "1",
  };
  return {
    ...localNode(name),
    enter,
    async run(command, options = {}) {
      const outcome = await runLean(enter(command), {
        env: environment,
        ...options,
      });
      const missing = outcome.code === 127 &&
        /^chroot: failed to run command/.test(outcome.stderr);
      return missing
        ? { ...outcome, code: undefined, ended: "no such command" as const }
        : outcome;
    },
    root: () => folder,
    copy: (file, path, mode) => copyInto(name, folder, file, path, mode),
  };
}

/** Copies without a process: the image needs no shell for it. */
async function copyInto(
  name: string,
  root: string,
  file: string,
  path: string,
  mode: string,
): Promise<void> {
  try {
    await installFile(file, `${root}${path}`, Number.parseInt(mode, 8));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const stderr = error.message;
    const outcome = { code: 1, stdout: "", stderr };
    const command = cmd`cp ${file} ${path}`;
    throw new CommandError(name, command, outcome, `copy ${file}`);
  }
}

/**
 * Copies a file, renamed into place: what runs the old one goes on with it.
 *
 * @param mode as chmod(2) takes it
 */
export async function installFile(
  file: string,
  path: string,
  mode: number,
): Promise<void> {
  await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
  await Deno.copyFile(file, `${path}.new`);
  await Deno.chmod(`${path}.new`, mode);
  await Deno.rename(`${path}.new`, path);
}
