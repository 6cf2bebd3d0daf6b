/**
 * Rules of iptables beside a table of our own in nftables. An accept ends only
 * the chain that it stands in: what Docker, or another, drops in the chain
 * FORWARD of iptables is dropped, whatever our table accepts.
 */
import { cmd, type Command } from "../exec/command.ts";
import { mark } from "../net/mark.ts";
import type { Answer, Probe, Step } from "../stage/stage.ts";
import { unknown } from "./probes.ts";

/**
 * Without iptables, or without a chain FORWARD of its (in nftables, or of the
 * old kind), there is nothing to add to. To ask for the chain makes none.
 */
const found = `family=$1; shift
{ command -v "$1" && { nft list chain "$family" filter FORWARD ||
  grep -sx filter "/proc/net/\${family}_tables_names"; }; } >/dev/null 2>&1`;

const ask = `${found} || exit 46
"$1" -w -t filter -S FORWARD && "$@"`;

/** At boot. Takes the rule's insertion after its question, which ends at "--". */
const again = `${found} || exit 0
[ "$("$1" -w -t filter -S FORWARD)" != "-P FORWARD ACCEPT" ] || exit 0
"$@" 2>/dev/null || { program=$1; shift 6; "$program" -w -t filter -I FORWARD "$@"; }`;

/**
 * A step that accepts in FORWARD, where that chain may drop.
 *
 * @param step as it is where iptables is all there is
 * @param check the command that asks for its rule
 */
export function besideNftables(step: Step, check: Command): Step {
  const [program] = check.argv;
  const family = program === "ip6tables" ? "ip6" : "ip";
  const name = `${program} -S FORWARD`;
  return {
    ...step,
    why: `${step.why}: our table cannot undo what FORWARD of iptables drops`,
    doneWhen: {
      ask: { ...cmd`sh -c ${ask} ask ${family} ${check.argv}`, label: name },
      read: readBeside,
    },
    atBoot: cmd`sh -c ${again} again ${family} ${check.argv}`,
  };
}

const readBeside: Probe["read"] = (outcome): Answer => {
  const { code, stdout, stderr } = outcome;
  if (code === 46) return { is: "unneeded", ours: false };
  const lines = stdout.trim().split("\n");
  const isThere = code === 0;
  const isAbsent = code === 1 && /does a matching rule exist/.test(stderr);
  if (!(isThere || isAbsent) || !lines[0]?.startsWith("-P FORWARD ")) {
    return unknown(outcome, "whether the rule is there");
  }
  const mayDrop = lines.some((line) =>
    line !== "-P FORWARD ACCEPT" && !line.includes(`--comment ${mark} `)
  );
  if (mayDrop) {
    return isThere ? { is: "present", ours: true } : { is: "absent" };
  }
  return { is: "unneeded", ours: isThere };
};
