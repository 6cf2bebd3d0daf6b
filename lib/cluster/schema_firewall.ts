/** The key `firewall` of a cluster file. config/lab.yaml tells the user. */
import { oneOf, withDefault } from "./validate.ts";

/** What stages 06 and 07 write their rules with. */
export type Firewall = "iptables" | "nftables";

/** The key `firewall`. */
export const firewallKey = withDefault<Firewall>(
  oneOf<Firewall>("iptables", "nftables"),
  "iptables",
);
