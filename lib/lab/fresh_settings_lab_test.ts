// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd, type Command } from "../exec/command.ts";
import { freshSettings } from "./fresh_settings.ts";
import { labNode } from "./node.ts";
import { labSteps } from "./steps.ts";
import { must, on, rooted, withCluster } from "./lab_testing.ts";

/** Gives every setting that a new namespace may copy a value that it has not now. */
const makeOdd =
  `for file in /proc/sys/net/ipv[46]/conf/default/* /proc/sys/net/ipv[46]/conf/all/*; do
  case $file in */stable_secret | */mc_forwarding) continue ;; esac
  before=$(cat "$file")
  for value in 1 0 2 10001; do
    if [ "$value" != "$before" ] && echo "$value" >"$file"; then break; fi
  done 2>/dev/null
done
`;

const all =
  "sysctl -a 2>/dev/null | grep -E '^net\\.ipv[46]\\.conf\\.(all|default)\\.' | grep -v mc_forwarding";

function values(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.trim().split("\n").map((line) => {
      const [name = "", value = ""] = line.split(" = ");
      return [name, value];
    }),
  );
}

rooted(
  "a namespace has the same settings afterwards, whatever each of them was before",
  async () => {
    const { argv } = freshSettings();
    const inside = async (script: string) =>
      values(
        (await must(cmd`unshare --net sh -euc ${script} x ${argv}`)).stdout,
      );
    const odd = await inside(makeOdd + all);
    const fresh = await inside(`"$@"; ${all}`);
    assert(fresh.size > 60, `${fresh.size} settings`);
    const kept = [...odd].filter(([name, value]) => fresh.get(name) === value);
    assertEquals(kept.map(([name]) => name.replace(/.*\./, "")), []);
    assertEquals(await inside(`${makeOdd}"$@"; ${all}`), fresh);
    assertEquals(fresh.get("net.ipv4.conf.all.forwarding"), "0");
    assertEquals(fresh.get("net.ipv6.conf.default.accept_ra"), "1");
  },
);

rooted(
  "a node begins as on any other machine, whatever settings its namespace copied",
  () =>
    withCluster(async (cluster) => {
      // In the place of a first namespace with other values, which is the
      // machine's own: what a birth calls first changes them.
      const shim = `file=$(readlink -f "$(command -v hostname)")
cp "$file" "$1/real"
printf '#!/bin/sh\\n%s\\nexec "%s" "$@"\\n' "$2" "$1/real" >"$1/hostname"
chmod 755 "$1/hostname"
shift 2
mount --bind "\${0%/*}/hostname" "$file"
exec "$@"`;
      const folder = cluster.stateDir;
      const [outside, master, worker] = labSteps(cluster);
      const birth = ({ argv }: Command) =>
        must(
          cmd`unshare --mount sh -euc ${shim} ${folder}/x ${folder} ${makeOdd} ${argv}`,
        );
      await birth(outside?.run as Command);
      await birth(master?.run as Command);
      await must(worker?.run as Command);
      const [odd, plain] = await Promise.all(
        ["master", "worker-1"].map((name) => on(labNode(cluster, name), all)),
      );
      assertEquals(odd, plain);
      assertEquals(
        await on(labNode(cluster, "outside"), "sysctl -n net.ipv4.ip_forward"),
        "1",
      );
    }),
);
