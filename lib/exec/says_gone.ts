/** What ip, bridge and iptables say of something that is to be removed and is not there. Pure. */
import type { Outcome } from "./command.ts";

/** As iproute2 6 and both kinds of iptables 1.8 say it; their exit codes do not tell. */
const words = new RegExp(
  [
    /^Cannot find device /,
    /^Error: ipv[46]: address not found\.$/,
    /^RTNETLINK answers: No such (file or directory|process|device)$/,
    /^RTNETLINK answers: Cannot assign requested address$/,
    /: Bad rule \(does a matching rule exist in that chain\?\)\.$/,
    /: No chain\/target\/match by that name\.$/,
  ].map(({ source }) => source).join("|"),
  "im",
);

/** Whether a command that removes a thing did not find it. */
export function saysGone({ code, ended, stderr }: Outcome): boolean {
  return ended === undefined && code !== 0 && words.test(stderr);
}
