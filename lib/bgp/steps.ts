/** BIRD as steps: on a node, and on the router between a lab's segments. */
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { oncePer } from "../cluster/once.ts";
import { cmd, type Command, succeeded, withInput } from "../exec/command.ts";
import { exitAbsent, put, saysAbsent } from "../exec/shell_file.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { whereThere } from "../steps/file_probes.ts";
import { unknown } from "../steps/probes.ts";
import { birdInstalled } from "./bird_package.ts";
import { ownBirds } from "./own_birds.ts";
import { passwordIn } from "./password_file.ts";
import { bgpRoutes } from "./routes_there.ts";
import type { Answer, Step } from "../stage/stage.ts";
import {
  confDigest,
  confHead,
  confPath,
  examplePath,
  nodeConf,
  passwordPath,
} from "./bird_conf.ts";

const program = `set -eu\n${put}${ownBirds}\n${
  shellProgram("bird.sh", import.meta.url)
}`;

/** What makes a speaker of BGP of a node, in this order. */
export function birdSteps(cluster: Cluster, node: ClusterNode): Step[] {
  const conf = oncePer((node: ClusterNode) => nodeConf(cluster, node));
  return speakerSteps(cluster, () => conf(node));
}

/** @param conf made when it is asked for: a reflector's is long */
export function speakerSteps(cluster: Cluster, conf: () => string): Step[] {
  const { bgp, clusterCIDRs, provider } = cluster;
  const kind = provider === "lab" ? "process" : "unit";
  return [
    birdInstalled(cluster),
    ...(bgp?.passwordFile === undefined ? [] : [password(bgp.passwordFile)]),
    written(conf),
    running(kind, conf, clusterCIDRs),
  ];
}

/** The operator's file is read at run time, and its text is in no plan and no journal. */
function password(file: string): Step {
  const command = cmd`sh -c ${program} bird password ${confPath} - -`;
  return {
    key: `write ${passwordPath}`,
    ahead: true,
    why: "The password of the sessions (RFC 2385), for bird alone to read",
    input: {
      from: "operator",
      why: "the password of the sessions",
      ask: passwordIn(file),
      secret: /.+/g,
      compared: true,
    },
    doneWhen: whereThere(
      {
        ...cmd`sh -c ${program} bird ask-password ${confPath} - -`,
        label: `stat -c %a ${passwordPath}`,
      },
      `what ${passwordPath} is`,
      (text, input = "") => {
        const [line = ""] = input.split("\n");
        return text === `600\n  password "${line}";\n`
          ? { is: "present", ours: true }
          : { is: "absent", ours: true };
      },
    ),
    run: { ...command, label: `write ${passwordPath}` },
    undo: cmd`rm -f ${passwordPath} ${`${passwordPath}.new`}`,
  };
}

const write = `umask 022; mkdir -p "\${1%/*}"
cat >"$1.new"
[ "$(wc -c <"$1.new")" -ge "$2" ] || { rm "$1.new"; echo "the text was cut short" >&2; exit 1; }
said=$(bird -p -c "$1.new" 2>&1) || {
  echo "$said" >&2
  at=$(echo "$said" | sed -n 's/.*\\.new:\\([0-9]*\\):.*/\\1/p' | head -n 1)
  [ -z "$at" ] || sed -n "\${at}s/^ */the line: /p" "$1.new" >&2
  rm -f "$1.new"
  echo "$1 is as it was" >&2
  exit 1
}
mv -f "$1.new" "$1"`;

/** What is somebody else's by now stays; a bird that ran before us reads its own anew. */
const restore = `rm -f "$1.new"
[ ! -e "$1" ] || [ "$(head -n 1 "$1")" = "$3" ] || exit 0
rm -f "$1"
[ ! -e "$2" ] || install -m 640 -o bird -g bird "$2" "$1" 2>/dev/null || cp "$2" "$1"
[ ! -e "$1" ] || ! birdc -r show status >/dev/null 2>&1 || birdc configure`;

/** Parsed by bird before it is put in place; the package's example is nobody's. */
function written(conf: () => string): Step {
  const ask = `[ -e "$1" ] && ! cmp -s "$1" "$2" || ${exitAbsent}; cat "$1"`;
  return {
    key: `write ${confPath}`,
    ahead: true,
    why:
      "What this node announces, to whom, and what it believes; bird parses it " +
      "before it takes the old one's place",
    doneWhen: whereThere(
      {
        ...cmd`sh -c ${ask} ask ${confPath} ${examplePath}`,
        label: `cat ${confPath}`,
      },
      `what ${confPath} holds`,
      (text) => {
        if (text === conf()) return { is: "present", ours: true };
        if (text.startsWith(confHead)) return { is: "absent", ours: true };
        return {
          is: "different",
          found: `${confPath} holds something that this tool did not write`,
          remedy: `move it away (mv ${confPath} ${confPath}.old) if nothing ` +
            "needs that bird, and run this stage again",
        };
      },
    ),
    get run(): Command {
      const text = conf();
      const size_bytes = new TextEncoder().encode(text).length;
      return {
        ...withInput(
          cmd`sh -euc ${write} write ${confPath} ${size_bytes}`,
          text,
        ),
        label: `write ${confPath}, after bird -p -c ${confPath}.new`,
      };
    },
    undo: {
      cleanup: {
        ...cmd`sh -euc ${restore} restore ${confPath} ${examplePath} ${confHead.trim()}`,
        label: `remove ${confPath}`,
      },
    },
  };
}

function running(
  kind: "process" | "unit",
  conf: () => string,
  clusterCIDRs: readonly string[],
): Step {
  const command = (action: string, digest: string) =>
    cmd`sh -c ${program} bird ${action} ${confPath} ${kind} ${digest} ${clusterCIDRs}`;
  return {
    key: "bird runs with this configuration",
    holds: bgpRoutes,
    why: "A bird that runs reads it anew and keeps its sessions; none is " +
      "started again for it",
    doneWhen: {
      get ask() {
        return {
          ...command("ask", confDigest(conf())),
          label: "birdc -r eval deno_cni",
        };
      },
      read(outcome) {
        if (saysAbsent(outcome)) return { is: "absent" };
        if (outcome.code === othersCode) return anotherBird(outcome.stdout);
        return succeeded(outcome)
          ? { is: "present", ours: true }
          : unknown(outcome, "whether bird runs");
      },
    },
    get run() {
      return {
        ...command("run", confDigest(conf())),
        label: `birdc configure, or start bird -c ${confPath}`,
      };
    },
    undo: {
      cleanup: {
        ...command("stop", "-"),
        label: "birdc down, and ip route flush proto bird",
      },
    },
  };
}

/** What bird.sh says where another bird is in the way. */
const othersCode = 45;

/** @param birds a line each: its process and command line */
function anotherBird(birds: string): Answer {
  const [line = ""] = birds.split("\n");
  const [pid = ""] = line.split(" ");
  return {
    is: "different",
    found: `another bird runs here, too (process ${line.trim()}): the two ` +
      "take each other's port and routes away",
    remedy:
      `end it (kill ${pid}) if nothing needs it, and run this stage again`,
  };
}
