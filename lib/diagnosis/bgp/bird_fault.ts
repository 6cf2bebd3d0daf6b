/** What is wrong with a node's bird itself, or with its configuration. Pure. */
import {
  confDigest,
  confHead,
  confPath,
  nodeConf,
  passwordPath,
} from "../../bgp/bird_conf.ts";
import { cmd } from "../../exec/command.ts";
import type { Cause } from "../cause.ts";
import { makeStage, onNode } from "../remedy.ts";
import { type BgpAnswer, printedOn } from "./answer.ts";

/** No session can be: bird does not run, or not as one of ours. */
export function birdFault(answer: BgpAnswer): Cause | undefined {
  return missingProgram(answer) ?? foreignConf(answer) ??
    anotherBird(answer) ?? silentBird(answer);
}

function missingProgram({ node, lines }: BgpAnswer): Cause | undefined {
  if (lines("program").length === 0) return undefined;
  const on = node.name;
  return {
    kind: "bgp",
    on,
    what:
      `bird is not installed on ${on}, so no node tells it of routes, and ` +
      "it tells none",
    evidence: [printedOn({ node }, cmd`which bird`, "nothing")],
    remedies: [makeStage("08-routes", on)],
  };
}

function foreignConf(answer: BgpAnswer): Cause | undefined {
  const { node, lines } = answer;
  const [head = "absent"] = lines("conf");
  if (head === "absent" || head === confHead.trim()) return undefined;
  const on = node.name;
  return {
    kind: "bgp",
    on,
    what: `${confPath} of ${on} is not ours: stage 08 did not write it`,
    evidence: [printedOn(answer, cmd`head -n 1 ${confPath}`, head)],
    remedies: [
      onNode(on, cmd`mv ${confPath} ${`${confPath}.old`}`),
      makeStage("08-routes", on),
    ],
  };
}

function anotherBird(answer: BgpAnswer): Cause | undefined {
  const { node, lines } = answer;
  const birds = lines("bird");
  const mute = birds.filter((line) => line.startsWith("mute "));
  if (birds.length < 2) return undefined;
  const on = node.name;
  const [, pid = "", line = ""] = /^mute (\d+) (.*)$/.exec(mute[0] ?? "") ?? [];
  return {
    kind: "bgp",
    on,
    what: `${birds.length} birds run on ${on}; one of them (process ${pid}: ` +
      `${line.trim()}) is not the one that birdc asks, and they take each ` +
      "other's port and routes away",
    evidence: [printedOn(answer, cmd`pgrep -a bird`, birds.join("\n"))],
    remedies: [onNode(on, cmd`kill ${pid}`), makeStage("08-routes", on)],
  };
}

/** Nothing answers birdc. */
function silentBird(answer: BgpAnswer): Cause | undefined {
  const { node, lines } = answer;
  const said = lines("session").join("\n");
  if (/^Name +Proto/m.test(said)) return undefined;
  const on = node.name;
  const [, pid] = /^\w+ (\d+)/.exec(lines("bird")[0] ?? "") ?? [];
  const parse = lines("parse").filter((line) => line !== "");
  const what = pid !== undefined
    ? `bird runs on ${on} (process ${pid}), and nothing answers at the socket ` +
      "by which birdc speaks with it"
    : `bird does not run on ${on}` +
      (parse.length === 0
        ? ", so no node tells it of routes, and it tells none"
        : `, and could not: ${parse.join(" ")}`);
  return {
    kind: "bgp",
    on,
    what,
    evidence: [
      printedOn(answer, cmd`birdc -r show protocols`, said.trim() || "nothing"),
      ...(parse.length === 0
        ? []
        : [printedOn(answer, cmd`bird -p -c ${confPath}`, parse.join("\n"))]),
    ],
    remedies: [makeStage("08-routes", on)],
  };
}

function isDigest(line: string): boolean {
  return confDigest(line) !== "";
}

/** How a node's configuration differs from the one that stage 08 writes. */
export function confDrift(answer: BgpAnswer): Cause | undefined {
  const { cluster, node, lines } = answer;
  const conf = nodeConf(cluster, node);
  const now = lines("conf");
  const is = now.join("\n");
  const on = node.name;
  const cause = {
    kind: "bgp",
    on,
    remedies: [makeStage("08-routes", on)],
  } as const;
  if (is === "absent") {
    return {
      ...cause,
      what: `${confPath} of ${on} is gone: its bird does not start again`,
      evidence: [printedOn(answer, cmd`ls ${confPath}`, "nothing")],
    };
  }
  if (is.trimEnd() !== conf.trimEnd()) {
    const wanted = conf.split("\n");
    const differs = wanted.flatMap((line, at) => now[at] === line ? [] : [at]);
    // The first of them tells that another differs, and not which.
    const at = differs.find((at) => !isDigest(wanted[at] ?? "")) ??
      differs[0] ?? -1;
    const line = (now[at < 0 ? wanted.length : at] ?? "no line").trim();
    return {
      ...cause,
      what:
        `${confPath} of ${on} is not what stage 08 writes: line ${at + 1} is ` +
        `"${line}", and not "${(wanted[at] ?? "").trim()}"`,
      evidence: [
        printedOn(answer, cmd`sed -n ${`${at + 1}p`} ${confPath}`, line),
      ],
    };
  }
  const loaded = lines("loaded").at(-1) ?? "";
  if (loaded === confDigest(conf) && lines("unread").length === 0) {
    return undefined;
  }
  return {
    ...cause,
    what: `the bird that runs on ${on} has not read ${confPath} as it is now`,
    evidence: [
      printedOn(answer, cmd`birdc -r eval deno_cni`, loaded || "nothing"),
    ],
  };
}

/** The file with the password is not as stage 08 writes it. */
export function passwordDrift(answer: BgpAnswer): Cause | undefined {
  const { node, lines, cluster } = answer;
  const [is] = lines("password");
  if (is === undefined || cluster.bgp?.passwordFile === undefined) {
    return undefined;
  }
  const on = node.name;
  return {
    kind: "bgp",
    on,
    what: `the file of the sessions' password on ${on} (${passwordPath}) ${is}`,
    evidence: [
      printedOn(answer, cmd`ls -l ${passwordPath}`, is),
    ],
    remedies: [makeStage("08-routes", on)],
  };
}
