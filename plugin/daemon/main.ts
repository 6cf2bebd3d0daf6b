/**
 * The plugin with the commands that a person or systemd gives it by argument;
 * without one it is a call as main.ts makes it.
 */

import { runDaemon } from "./daemon.ts";
import { stopDaemon } from "./stop.ts";

const usage =
  `deno-cni is a CNI plugin, which a container runtime calls; by hand:
  deno-cni daemon         serve the calls of this version until told to stop
  deno-cni daemon stop    have it end, once all calls are answered
`;

/** Twice this long, at most, a launcher waits for a daemon that gives no sign of life. */
const stuck_s = 20;

/** @param args the launcher puts its version first */
async function main(
  [version = "", command, word, ...more]: string[],
): Promise<number> {
  if (command === "daemon" && word === undefined) {
    await runDaemon({ version, stuck_s });
    return 0;
  }
  if (command === "daemon" && word === "--stuck-after" && Number(more[0]) > 0) {
    await runDaemon({ version, stuck_s: Number(more[0]) });
    return 0;
  }
  if (command === "daemon" && word === "stop") return await stopDaemon(version);
  console.error(usage);
  return 2;
}

main([...Deno.args]).then(Deno.exit, (error) => {
  console.error(`deno-cni: ${error instanceof Error ? error.stack : error}`);
  Deno.exit(1);
});
