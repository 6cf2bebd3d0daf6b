// @ts-types="../std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { cmd, type Command } from "../exec/command.ts";
import { labId, labNode, labSteps, removeLab } from "./lab.ts";
import { membersOf, takeSnapshot } from "./processes.ts";
import {
  askAll,
  make,
  members,
  must,
  removerOf,
  rooted,
  stranger,
  withCluster,
} from "./lab_testing.ts";
import { type Node, UnreachableError } from "../node/node.ts";
import { run } from "../exec/run.ts";

rooted(
  "an unprivileged user has a lab of his own, and may do on its nodes what the stages do",
  () =>
    withCluster(async (cluster) => {
      const { as, folder } = await stranger(cluster);
      for (const { run: command } of labSteps(cluster)) {
        await must(as(command as Command));
      }
      const worker = labNode(cluster, "worker-1");
      const asOn = (node: Node, script: string) =>
        must(as(node.enter(cmd`sh -euc ${script}`)));
      const { stdout } = await asOn(
        worker,
        `id -u; hostname; for to in 10.0.1.10 10.0.1.12 203.0.113.8; do ping -c1 -W2 $to >&2; done
      ip link add cni0 type bridge; ip link set cni0 up; ip addr add 10.244.1.1/24 dev cni0
      iptables -w -A FORWARD -s 10.244.0.0/16 -j ACCEPT
      iptables -w -A FORWARD -d 10.244.0.0/16 -j ACCEPT
      iptables -w -t nat -A POSTROUTING -s 10.244.1.0/24 ! -d 10.244.0.0/16 -m comment --comment x -j MASQUERADE
      sysctl -qw net.ipv4.ip_forward=1
      for d in /etc/cni/net.d /opt/cni/bin /opt/cni/lib /var/lib/cni /var/lib/deno-cni /etc/sysctl.d /run/lock; do
        mkdir -p $d; echo x >$d/x; mv $d/x $d/y; done
      ip netns add pod; ip link add pod0 master cni0 up type veth peer name eth0 netns pod
      nsenter --net=/run/netns/pod sh -c 'ip addr add 10.244.1.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.244.1.1'
      nsenter --net=/run/netns/pod ping -c1 -W2 203.0.113.8 >&2`,
      );
      assertEquals(stdout, "0\nworker-1\n");
      const [program, ...args] = as(
        worker.enter(cmd`nsenter --net=/run/netns/pod env -i sleep 600`),
      ).argv;
      const pod = new Deno.Command(program, { args }).spawn();
      // His lab is his: root does not run his programs.
      await assertRejects(() => worker.run(cmd`true`), UnreachableError);
      await must(as({ argv: [`${folder}/deno`, ...removerOf(cluster)] }));
      assertEquals((await pod.status).success, false);
      assertEquals(members(cluster), 0);
    }),
);

rooted(
  "a user's removal leaves root's lab of the same name alone",
  () =>
    withCluster(async (cluster) => {
      const { as, folder } = await stranger(cluster);
      await make(cluster);
      await must(as({ argv: [`${folder}/deno`, ...removerOf(cluster)] }));
      assertEquals(members(cluster), 4);
      assertEquals(new Set(await askAll(cluster)), new Set(["present"]));
    }),
);

rooted(
  "a user who may not end a process of his lab is told whose it is, and ends nothing",
  () =>
    withCluster(async (cluster) => {
      const { as, folder } = await stranger(cluster);
      // A process of his that has one of root's as its child, as after sudo.
      const parent = as(
        cmd`env DENO_CNI_NODE=${labId(cluster)}/worker-1 sleep 60`,
      );
      const script = 'sleep 61 & exec "$@"';
      const child = new Deno.Command("sh", {
        args: ["-c", script, "x", ...parent.argv],
      }).spawn();
      const remove = as({ argv: [`${folder}/deno`, ...removerOf(cluster)] });
      let outcome = await run(remove);
      for (let tries = 0; outcome.code === 0; tries++) {
        assert(tries < 50, "the processes are not seen");
        outcome = await run(remove);
      }
      assertEquals(outcome.code, 1);
      assertStringIncludes(outcome.stderr, "(sleep) of the lab belongs to");
      assertStringIncludes(outcome.stderr, "the user 0:");
      assertEquals(members(cluster), 2);
      const states = membersOf(takeSnapshot(), labId(cluster));
      assertEquals(states.map(({ state }) => state), ["S", "S"]);
      assertEquals(await removeLab(cluster), 2);
      await child.status;
    }),
);

rooted(
  "a root without the capability for namespaces is told what is lacking",
  () =>
    withCluster(async (cluster) => {
      const [outside] = labSteps(cluster);
      const birth = outside?.run as Command;
      const outcome = await run(
        cmd`setpriv --bounding-set=-sys_admin ${birth.argv}`,
      );
      assertEquals(outcome.code, 1);
      assertStringIncludes(outcome.stderr, "root may not make namespaces here");
      assertEquals(members(cluster), 0);
    }),
);

rooted(
  "where user namespaces are forbidden, one line names the setting and sudo",
  () =>
    withCluster(async (cluster) => {
      const { as } = await stranger(cluster);
      const [step] = labSteps(cluster);
      const birth = as(step?.run as Command);
      // In a user namespace of the test's own the limit is the test's own, too.
      const script = `unshare --user sleep 60 & pid=$!; trap 'kill $pid' EXIT
        while [ "$(readlink /proc/$pid/ns/user)" = "$(readlink /proc/$$/ns/user)" ]; do :; done
        echo 0 0 65536 >/proc/$pid/uid_map; echo 0 0 65536 >/proc/$pid/gid_map
        nsenter --target=$pid --user sh -euc 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"' x "$@"`;
      const outcome = await run(cmd`sh -euc ${script} x ${birth.argv}`);
      assertEquals(outcome.code, 1, outcome.stderr);
      assertEquals(
        outcome.stderr,
        "a lab without root needs user namespaces, which user.max_user_namespaces=0 forbids: " +
          "use sudo (or: sudo sysctl -w user.max_user_namespaces=10000)\n",
      );
      assertEquals(members(cluster), 0);
    }),
);
