/**
 * The plugin with the commands that a person or systemd gives it by argument;
 * without one it is a call as main.ts makes it.
 */

import { encoder } from "../linux/utf8.ts";
import { type DaemonOptions, runDaemon } from "./daemon.ts";
import { metricsText } from "./metrics.ts";
import { stopDaemon } from "./stop.ts";

const usage =
  `deno-cni is a CNI plugin, which a container runtime calls; by hand:
  deno-cni daemon [--textfile FILE.prom] [--stuck-after SECONDS]
                          make the calls of this version until told to stop
  deno-cni daemon stop [PID]
                          have it, or that one, end once all calls are answered
  deno-cni metrics        what it has counted and how full the subnets are, for Prometheus
`;

/** Twice this long, at most, a launcher waits for a daemon that gives no sign of life. */
const stuck_s = 20;

/** @param args the launcher puts its version first */
async function main([version = "", ...words]: string[]): Promise<number> {
  const [command, ...options] = words;
  const [, stop, pid] = /^daemon (stop)(?: (\d+))?$/.exec(words.join(" ")) ??
    [];
  if (stop !== undefined) {
    return await stopDaemon(version, pid ? Number(pid) : undefined, warn);
  }
  if (words.join(" ") === "metrics") {
    Deno.stdout.writeSync(encoder.encode(await metricsText(version)));
    return 0;
  }
  const given = command === "daemon" ? optionsOf(options) : undefined;
  if (given === undefined) {
    console.error(usage);
    return 2;
  }
  await runDaemon({ version, stuck_s, ...given }, warn);
  return 0;
}

/** undefined for what is no option of the daemon's. */
function optionsOf(
  words: readonly string[],
): Partial<DaemonOptions> | undefined {
  let options: Partial<DaemonOptions> = {};
  for (let at = 0; at < words.length; at += 2) {
    const [name, value = ""] = [words[at], words[at + 1]];
    if (name === "--textfile" && value.endsWith(".prom")) {
      options = { ...options, textfile: value };
    } else if (name === "--stuck-after" && Number(value) > 0) {
      options = { ...options, stuck_s: Number(value) };
    } else {
      return undefined;
    }
  }
  return options;
}

function warn(text: string): void {
  console.error(`deno-cni: ${text}`);
}

main([...Deno.args]).then(Deno.exit, (error) => {
  warn(`${error instanceof Error ? error.stack : error}`);
  Deno.exit(1);
});
