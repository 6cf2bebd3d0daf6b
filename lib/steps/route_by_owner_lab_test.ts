/** Who can be a next hop, asked of a real kernel in a network namespace. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { familyOf } from "../net/cidr.ts";
import { routeByOwner } from "./route_by_owner.ts";
import { waysQuestion } from "./route_table.ts";
import { rooted } from "../lab/lab_testing.ts";
import type { Answer } from "../stage/stage.ts";
import { run } from "../exec/run.ts";

const script = `ip link add eth0 type veth peer name other
ip link set eth0 up
ip link set other up
ip addr add 10.0.1.11/24 dev eth0
ip -6 addr add fd00:1::11/64 dev eth0 nodad
SETUP
exec "$@"`;

/** What the probe says on a node of 10.0.1.0/24 and fd00:1::/64 where this was done before. */
async function answer(
  podCIDR: string,
  via: string,
  setup = ":",
): Promise<Answer> {
  const family = familyOf(podCIDR);
  // Another's way must not be taken for this one.
  const beside = family === 4 ? "10.0.1.99" : "fd00:1::99";
  const owner = { name: "worker-2", via };
  const question = waysQuestion(family, [beside, via]);
  const { ask, read } = routeByOwner(podCIDR, owner, question, 1);
  const inside = script.replace("SETUP", setup);
  return read(await run(cmd`unshare --net sh -euc ${inside} node ${ask.argv}`));
}

rooted(
  "a neighbour is a next hop, in both families; what is routed by it already is found",
  async () => {
    assertEquals(await answer("10.244.2.0/24", "10.0.1.12"), { is: "absent" });
    assertEquals(await answer("fd00:2::/64", "fd00:1::12"), { is: "absent" });
    const made = (podCIDR: string, via: string) =>
      answer(podCIDR, via, `ip route replace ${podCIDR} via ${via} proto 244`);
    const ours: Answer = { is: "present", ours: true };
    assertEquals(await made("10.244.2.0/24", "10.0.1.12"), ours);
    assertEquals(await made("fd00:2::/64", "fd00:1::12"), ours);
  },
);

rooted(
  "who is behind a gateway, nowhere, or the node itself is none",
  async () => {
    const found = async (podCIDR: string, via: string, setup?: string) => {
      const given = await answer(podCIDR, via, setup);
      return given.is === "different" ? given.found : given.is;
    };
    const gateway =
      "ip route add default via 10.0.1.1; ip -6 route add default via fd00:1::1";
    assertStringIncludes(
      await found("10.244.2.0/24", "10.0.2.12", gateway),
      "by the gateway 10.0.1.1",
    );
    assertStringIncludes(
      await found("fd00:2::/64", "fd00:9::12", gateway),
      "by the gateway fd00:1::1",
    );
    assertStringIncludes(
      await found("10.244.2.0/24", "10.0.2.12"),
      "has no way there",
    );
    assertStringIncludes(
      await found("fd00:2::/64", "fd00:9::12"),
      "has no way there",
    );
    assertStringIncludes(
      await found("10.244.2.0/24", "10.0.1.11", "ip link set lo up"),
      "the node's own",
    );
  },
);
