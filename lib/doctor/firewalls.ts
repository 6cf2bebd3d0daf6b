/**
 * The doctor's checks of other firewalls on a node: nftables, the legacy
 * iptables, firewalld, ufw. Pure.
 */
import { cmd, type Command } from "../exec/command.ts";
import { exitAbsent, saysAbsent } from "../exec/shell_file.ts";
import {
  byFamily,
  type Check,
  type Finding,
  shownBy,
  unclear,
} from "./check.ts";
import { stoppedSamples } from "./filter.ts";
import { samples } from "./samples.ts";
import { makeStage, onNode, type Remedy } from "../diagnosis/remedy.ts";
import { words } from "../net/iptables.ts";
import { nftables } from "./nft_tables.ts";

/** The tables that the other iptables has; to ask the program itself would make them. */
const legacyScript = `names=$1 tool=$2
command -v "$tool" >/dev/null || ${exitAbsent}
case $("$tool" --version) in *nf_tables*) other=$2-legacy ;; *) other=$2-nft ;; esac
command -v "$other" >/dev/null || ${exitAbsent}
if [ "$other" = "$2-legacy" ]; then
  grep -qsx filter "$names" || ${exitAbsent}
else
  nft list table "$3" filter >/dev/null 2>&1 || ${exitAbsent}
fi
echo "# $other"
"$other" -w -t filter -S 2>/dev/null`;

const bothIptables: Check = {
  name: "both-iptables",
  well: "one iptables is in use, not nft and legacy at once",
  asks: (context) =>
    byFamily(context).map(({ family }) => {
      const names = `/proc/net/${family === 4 ? "ip" : "ip6"}_tables_names`;
      const tool = family === 4 ? "iptables" : "ip6tables";
      const table = family === 4 ? "ip" : "ip6";
      return cmd`sh -c ${legacyScript} ask ${names} ${tool} ${table}`;
    }),
  read: (context, answers) =>
    byFamily(context).flatMap((one, at): readonly Finding[] => {
      const asked = answers[at];
      if (asked && saysAbsent(asked.outcome)) return [];
      if (asked === undefined || asked.outcome.code !== 0) {
        return [unclear("whether there are two iptables in use", asked)];
      }
      const [first = "", ...rest] = asked.outcome.stdout.split("\n");
      const other = first.slice(2);
      const text = rest.join("\n").trim();
      const stops = stoppedSamples(text, samples(context, one));
      if (stops.length === 0 && !/^-A /m.test(text)) return [];
      const clear = (...what: readonly string[]) =>
        onNode(context.node.name, cmd`${other} -w -t filter ${what}`);
      const flush = stops.map(({ verdict: { rule } }) =>
        rule === undefined
          ? clear("-P", "FORWARD", "ACCEPT")
          : clear("-D", ...words(rule).slice(1))
      );
      return [{
        is: stops.length > 0 ? "fault" : "warning",
        what: stops.length > 0
          ? `${other} is in use beside the iptables of the stages, and drops ` +
            "what its pods send or get"
          : `${other} has rules beside the iptables of the stages: each ` +
            "packet meets both, and each program shows its own only",
        evidence: [shownBy(context, cmd`${other} -w -t filter -S`)],
        remedies: stops.length > 0 ? flush : [clear("-F")],
      }];
    }),
};

/** firewalld answers over D-Bus, ufw reads its own files; each with what it lets pass. */
const servicesScript = `
if command -v firewall-cmd >/dev/null && [ "$(firewall-cmd --state 2>&1)" = running ]; then
  echo "firewalld: running, trusted: $(firewall-cmd --zone=trusted --list-sources)"
fi
if command -v ufw >/dev/null && ufw status 2>/dev/null | grep -qx 'Status: active'; then
  ufw status | sed -n 's/^\\(Status\\|.*ALLOW FWD\\)/ufw: &/p'
fi`;

const services: Check = {
  name: "firewall-services",
  well: "no firewalld or ufw is at work that does not know the pods",
  asks: () => [cmd`sh -c ${servicesScript} services`],
  read(context, [asked]) {
    const { cluster: { clusterCIDRs }, node } = context;
    const lines = (asked?.outcome.stdout ?? "").split("\n").filter(Boolean);
    const known = /^(firewalld|ufw): /;
    if (asked === undefined || !lines.every((line) => known.test(line))) {
      return [unclear("whether firewalld or ufw is at work", asked)];
    }
    const on = (command: Command) => onNode(node.name, command);
    const warning = (
      what: string,
      ask: Command,
      remedies: readonly Remedy[],
    ): Finding => (
      { is: "warning", what, evidence: [shownBy(context, ask)], remedies }
    );
    const words = new Set(lines.flatMap((line) => line.split(/\s+/)));
    const unknown = clusterCIDRs.filter((cidr) => !words.has(cidr));
    if (unknown.length === 0) return [];
    const found: Finding[] = [];
    if (lines.some((line) => line.startsWith("firewalld: "))) {
      found.push(warning(
        "firewalld is running: it rejects what its zones do not know, and " +
          "each reload of it may take our rules away",
        cmd`firewall-cmd --state`,
        [
          ...unknown.map((cidr) =>
            on(
              cmd`firewall-cmd --permanent --zone=trusted --add-source=${cidr}`,
            )
          ),
          on(cmd`firewall-cmd --reload`),
          makeStage("06-forwarding", node.name),
        ],
      ));
    }
    if (lines.some((line) => line.startsWith("ufw: "))) {
      found.push(warning(
        "ufw is active: it drops what is routed unless it is told, and each " +
          "reload of it goes ahead of our rules",
        cmd`ufw status`,
        unknown.flatMap((cidr) => [
          on(cmd`ufw route allow from ${cidr}`),
          on(cmd`ufw route allow to ${cidr}`),
        ]),
      ));
    }
    return found;
  },
};

export const firewallChecks: readonly Check[] = [
  nftables,
  bothIptables,
  services,
];
