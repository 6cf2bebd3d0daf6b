/** The commands that impair a link, and what is read of them. */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { show } from "../exec/command.ts";
import {
  impairCommands,
  type Impairment,
  readImpairments,
} from "./impairment.ts";

const lines = (wanted: Impairment, hasNetem: boolean) =>
  impairCommands(wanted, hasNetem)?.map(show);

Deno.test("netem does all three at once; without it, loss and bandwidth have means of their own, and delay has none", () => {
  const all = { delay_ms: 50, loss_percent: 2.5, rate_kbit: 1000 };
  assertEquals(lines(all, true), [
    "tc qdisc replace dev eth0 root handle 244: netem delay 50ms loss 2.5% rate 1000kbit",
  ]);
  assertEquals(lines({ loss_percent: 2.5, rate_kbit: 1000 }, false), [
    "tc qdisc replace dev eth0 root handle 244: tbf rate 1000kbit burst 16kb latency 400ms",
    "nft add table inet impair",
    "nft add chain inet impair loss '{ type filter hook postrouting priority 300; }'",
    "nft add rule inet impair loss oifname eth0 numgen random mod 10000 '<=' 249 drop",
  ]);
  assertEquals(lines(all, false), undefined);
});

Deno.test("what impairs a link is read for the node and each of its pods; what is not ours is left out", () => {
  const parts = Object.entries({
    "place ": "",
    "qdiscs":
      "qdisc netem 244: root refcnt 3 limit 1000 delay 50ms loss 2.5%\n",
    "nft": "",
  }).concat(Object.entries({
    "place web": "",
    "qdiscs": "qdisc tbf 8001: root refcnt 2 rate 1Mbit burst 16Kb lat 50ms\n",
    "nft": "table inet impair {\n\tchain loss {\n\t\ttype filter hook " +
      'postrouting priority 300; policy accept;\n\t\toifname "eth0" numgen ' +
      "random mod 10000 <= 249 drop\n\t}\n}\n",
  })).map(([name, text]) => ({ name, text }));
  assertEquals(readImpairments(parts), [
    { says: "netem limit 1000 delay 50ms loss 2.5%" },
    { pod: "web", says: "nftables loss 2.5%" },
  ]);
});
