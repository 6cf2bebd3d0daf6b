/**
 * Rules of iptables beside a table of our own in nftables. An accept ends only
 * the chain that it stands in: what Docker, or another, drops in the chain
 * FORWARD of iptables is dropped, whatever our table accepts. Where the program
 * is gone, its chain in nftables has stayed, and takes the same rules from nft.
 */
import { readNftTable } from "../net/nft_json.ts";
import { cmd, type Command, type Outcome, show } from "../exec/command.ts";
import { readRuleset } from "../net/nft_rules.ts";
import { mark } from "../net/mark.ts";
import { nftProtocol, plainCidr } from "../net/nft_table.ts";
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

/** A rule of FORWARD: its step where iptables is all there is, and its question. */
export interface ForwardRule {
  readonly step: Step;
  /** What takes it back there. */
  readonly undo: Command;
  /** The command that asks iptables for it. */
  readonly check: Command;
  readonly clusterCIDR: string;
  readonly direction: "-s" | "-d";
}

/** The steps that accept in FORWARD where that chain may drop: by iptables, and without it. */
export function besideNftables(rule: ForwardRule): readonly Step[] {
  return [byIptables(rule), byNft(rule)];
}

function byIptables(rule: ForwardRule): Step {
  const { step, check, undo } = rule;
  const [program] = check.argv;
  const { family } = inNft(rule);
  const name = `${program} -S FORWARD`;
  return {
    ...step,
    why: `${step.why}: our table cannot undo what FORWARD of iptables drops`,
    doneWhen: {
      ask: { ...cmd`sh -c ${ask} ask ${family} ${check.argv}`, label: name },
      read: readBeside,
    },
    undo: { ...undoOf(rule, undo), label: show(undo) },
    atBoot: cmd`sh -c ${again} again ${family} ${check.argv}`,
  };
}

/** What takes the rule back, also where the program has gone meanwhile. */
function undoOf(rule: ForwardRule, undo: Command): Command {
  const [program = ""] = rule.check.argv;
  const { family, match } = inNft(rule);
  return cmd`sh -c ${removeByNft} undo ${program} ${family} ${match} ${undo.argv}`;
}

/** The rule in the words of nft. */
function inNft(
  { clusterCIDR, direction }: Pick<ForwardRule, "clusterCIDR" | "direction">,
) {
  const family = nftProtocol(clusterCIDR);
  const field = direction === "-s" ? "saddr" : "daddr";
  const match = `${family} ${field} ${plainCidr(clusterCIDR)}`;
  return { family, match, chain: [family, "filter", "FORWARD"] };
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
  return answerOf(isThere, mayDrop);
};

function answerOf(isThere: boolean, mayDrop: boolean): Answer {
  if (!mayDrop) return { is: "unneeded", ours: isThere };
  return isThere ? { is: "present", ours: true } : { is: "absent" };
}

/** Asks for the chain as nft has it, where the program of its family is gone. */
const askNft = `command -v "$1" >/dev/null && exit 46
nft -j list chain "$2" filter FORWARD 2>/dev/null || exit 46`;

/** Takes the program, the family, and the rule's match, and gives our rule's handle. */
const listing =
  `list() { nft -a list chain "$family" filter FORWARD 2>/dev/null; }
family=$2 match=$3; list >/dev/null || exit 0
counted='counter packets [0-9]* bytes [0-9]* accept'
ours() { list | sed -n "s|^[[:space:]]*$match .*$counted$1 # handle ||p" | head -n 1; }
handle=$(ours ' comment "${mark}"')`;

const againByNft = `command -v "$1" >/dev/null && exit 0
${listing}
[ -n "$handle" ] ||
  nft insert rule "$family" filter FORWARD $match counter accept comment '"${mark}"'`;

/**
 * The undo of iptables follows, for where its program is. A rule that iptables made
 * shows no comment to nft 1.0.
 */
const removeByNft = `command -v "$1" >/dev/null && { shift 3; "$@"; exit; }
${listing}
handle=\${handle:-$(ours '')}
[ -z "$handle" ] || nft delete rule "$family" filter FORWARD handle "$handle"`;

function byNft(rule: ForwardRule): Step {
  const { step, check, undo } = rule;
  const [program = ""] = check.argv;
  const { family, match, chain } = inNft(rule);
  return {
    ...step,
    why: `${step.why}: ${program} is gone, and its chain FORWARD has stayed`,
    doneWhen: {
      ask: {
        ...cmd`sh -c ${askNft} ask ${program} ${family}`,
        label: `nft -j list chain ${chain.join(" ")}`,
      },
      read: (outcome) => readByNft(outcome, match),
    },
    // iptables knows this rule for its own: a comment is kept as nft keeps it.
    run: cmd`nft insert rule ${chain} ${
      match.split(" ")
    } counter accept comment ${`"${mark}"`}`,
    undo: {
      ...undoOf(rule, undo),
      label: `nft delete rule ${chain.join(" ")} (${match} accept)`,
    },
    atBoot: cmd`sh -c ${againByNft} again ${program} ${family} ${match}`,
  };
}

function readByNft(outcome: Outcome, match: string): Answer {
  const { code, stdout } = outcome;
  if (code === 46) return { is: "unneeded", ours: false };
  const [chain] = readRuleset(stdout).chains;
  if (code !== 0 || chain === undefined) {
    return unknown(outcome, "whether the rule is there");
  }
  const { rules } = readNftTable(stdout);
  const ours = rules.filter(isOurs);
  return answerOf(
    ours.some(({ parts: [first] }) => first === match),
    chain.policy === "drop" || ours.length < rules.length,
  );
}

/** An accept with our mark, as nft wrote it or iptables: of its comment nft(8) tells no text. */
function isOurs(
  { parts, comment }: ReturnType<typeof readNftTable>["rules"][number],
): boolean {
  const commented = parts.some((part) => /^\{"xt":.*"comment"/.test(part));
  return parts.at(-1) === "accept" && (comment === mark || commented) &&
    parts.slice(1, -1).every((part) => /^\{"(xt|counter)":/.test(part));
}

const askLeft = `family=$1 source=$2; shift 2
command -v "$1" >/dev/null ||
  nft list chain "$family" nat POSTROUTING 2>/dev/null | grep -qF "saddr $source " ||
  exit 46
"$@"`;

/**
 * The step of a rule of iptables that stands in for ours in nftables: where the
 * program went, and a reboot took the rule along, nothing of it is left.
 *
 * @param source the network that the rule masquerades
 */
export function leftOfIptables(step: Step, source: string): Step {
  const { doneWhen } = step;
  if (doneWhen === undefined) return step;
  const args = [nftProtocol(source), plainCidr(source)];
  return {
    ...step,
    doneWhen: {
      ask: {
        ...cmd`sh -c ${askLeft} ask ${args} ${doneWhen.ask.argv}`,
        label: show(doneWhen.ask),
      },
      read: (outcome, input) =>
        outcome.code === 46
          ? { is: "unneeded", ours: false }
          : doneWhen.read(outcome, input),
    },
  };
}
