/** A browser for the page: opened where there is one, or told the way from another machine. */
import { cmd, succeeded } from "../exec/command.ts";
import { run } from "../exec/run.ts";

/**
 * Opens the page in the browser of this desktop, where there is one.
 *
 * The address holds a secret, and the arguments of a program are for all users
 * to see: the browser is given a file that leads there.
 *
 * @param folder where that file may be; other users cannot read it
 */
export async function openBrowser(
  address: string,
  folder: string,
): Promise<void> {
  const { DISPLAY, WAYLAND_DISPLAY } = Deno.env.toObject();
  if (!DISPLAY && !WAYLAND_DISPLAY) return;
  const found = await run(cmd`sh -c ${"command -v xdg-open"}`);
  if (!succeeded(found)) return;
  await Deno.mkdir(folder, { recursive: true });
  const path = `${folder}/studio.html`;
  const html = '<!DOCTYPE html><meta http-equiv="refresh" ' +
    `content="0; url=${address}">\n`;
  await Deno.remove(path).catch(() => {}); // Its mode is that of its first writing.
  await Deno.writeTextFile(path, html, { mode: 0o600, createNew: true });
  await run(cmd`xdg-open ${path}`, { timeout_ms: 10_000 });
}

/**
 * The line that brings the page to the machine from which this one was entered
 * by ssh; undefined where it was not.
 */
export function tunnelLine(
  env: Readonly<Record<string, string>>,
  port: number,
): string | undefined {
  // "client port server port" (ssh(1), ENVIRONMENT).
  const [, , host, sshPort] = (env.SSH_CONNECTION ?? "").split(" ");
  if (host === undefined || sshPort === undefined) return undefined;
  const user = env.LOGNAME ?? env.USER;
  const where = user === undefined ? host : `${user}@${host}`;
  const at = sshPort === "22" ? "" : ` -p ${sshPort}`;
  return `ssh -N -L ${port}:127.0.0.1:${port}${at} ${where}`;
}
