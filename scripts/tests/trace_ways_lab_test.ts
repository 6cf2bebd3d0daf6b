/** The trace as it is used: between all kinds of ends, over ssh, by IPv6, with containers, and cut off. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, succeeded } from "../../lib/exec/command.ts";
import { sshTest, startSshLab } from "../../lib/ssh/sshd_testing.ts";
import { ownNamespace, startMonitor } from "../../lib/trace/nft_monitor.ts";
import type { TraceHop, TraceReport } from "../../lib/trace/report.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";
import { runtimeTest } from "./runtimes_testing.ts";
import { sshFile } from "./ssh_testing.ts";
import { leftovers, traced } from "./trace_testing.ts";
import { needsRoot, runAll } from "./verify_testing.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";

/** The hops in short: where, and what became of the packet. */
function told({ hops }: TraceReport): string[] {
  return hops.map(({ direction, node, pod, place, outcome }) =>
    [direction, pod === undefined ? node : `${node}/${pod}`, place, outcome]
      .join(" ")
  );
}

/** What hops name as having decided. */
function decisions(hops: readonly TraceHop[]): string {
  return hops.flatMap(({ by }) =>
    by.map(({ kind, text, stage = "" }) => `${kind}: ${text} ${stage}`)
  ).join("\n");
}

Deno.test({
  ...needsRoot,
  name:
    "a trace follows a packet between all kinds of ends, and leaves nothing behind (needs root)",
  async fn(t) {
    await using lab = await testLab("trace-ends");
    await runAll(lab, ["up"]);

    await t.step("from pod to pod, with what decided at each hop", async () => {
      const { report, code, text } = await traced(
        lab,
        "worker-1/shell",
        "worker-2/web",
      );
      assertEquals(code, 0, text);
      assertEquals(told(report), [
        "there worker-1/shell output SENT",
        "there worker-1 prerouting RECEIVED",
        "there worker-1 forward FORWARDED",
        "there worker-2 prerouting RECEIVED",
        "there worker-2 forward FORWARDED",
        "there worker-2/web input DELIVERED",
        "back worker-2/web output SENT",
        "back worker-2 prerouting RECEIVED",
        "back worker-2 forward FORWARDED",
        "back worker-1 prerouting RECEIVED",
        "back worker-1 forward FORWARDED",
        "back worker-1/shell input DELIVERED",
      ]);
      assertEquals(
        report.packets.map(({ kind, answered }) => [kind, answered]),
        [
          ["request", true],
          ["ping", true],
          ["full-mtu", true],
        ],
      );
      const by = decisions(report.hops);
      assertStringIncludes(by, "route: default via 10.244.1.1 dev eth0");
      assertStringIncludes(by, "-j ACCEPT 06-forwarding");
      assertStringIncludes(
        by,
        "10.244.2.0/24 via 10.0.1.12 dev eth0 proto 244 08-routes",
      );
      assertStringIncludes(by, "10.244.2.0/24 dev cni0 04-bridge");
    });

    await t.step("to the outside, where the source is rewritten", async () => {
      const { report, code, text } = await traced(
        lab,
        "worker-1/shell",
        "outside",
      );
      assertEquals(code, 0, text);
      const rewritten = report.hops
        .filter(({ outcome }) => outcome === "REWRITTEN");
      assertEquals(
        rewritten.map(({ direction, node, after }) => [direction, node, after]),
        [
          ["there", "worker-1", {
            source: "10.0.1.11",
            destination: "203.0.113.8",
          }],
          ["back", "worker-1", {
            source: "203.0.113.8",
            destination: report.from.address,
          }],
        ],
      );
      assertStringIncludes(decisions(rewritten), "-j MASQUERADE 07-masquerade");
    });

    const others = [
      ["worker-1/shell", "worker-1/web"],
      ["worker-1/shell", "worker-1"],
      ["worker-1/shell", "master"],
      ["worker-1", "worker-1/web"],
      ["master", "worker-2/web"],
      ["master", "worker-1"],
      ["master", "master"],
      ["worker-2", "203.0.113.8"],
    ] as const;
    for (const [from, to] of others) {
      await t.step(`from ${from} to ${to}`, async () => {
        const { report, code, text } = await traced(lab, from, to);
        assertEquals(code, 0, text);
        const directions = report.hops.filter(({ outcome }) =>
          outcome === "DELIVERED"
        ).map(({ direction }) => direction);
        assertEquals(directions, ["there", "back"], text);
      });
    }

    await t.step("from the outside, which has no way to pods", async () => {
      const well = await traced(lab, "outside", "worker-1");
      assertEquals(well.code, 0, well.text);
      const { report, text } = await traced(lab, "outside", "worker-1/web");
      assertStringIncludes(report.cause?.what ?? "", "no way to", text);
    });

    await t.step(
      "to a Service, under the name that a rule gives it",
      async () => {
        const service = "-d 10.96.0.10 -p tcp --dport 8080 -j DNAT";
        const web = (await traced(lab, "master", "worker-2/web")).report.to;
        const rule = `PREROUTING ${service} --to-destination ${web.address}:80`;
        await lab.on("worker-1", cmd`sh -c ${`iptables -w -t nat -A ${rule}`}`);
        const ends = ["worker-1/shell", "10.96.0.10"] as const;
        const { report, code, text } = await traced(
          lab,
          ...ends,
          "--port",
          "8080",
        );
        await lab.on("worker-1", cmd`sh -c ${`iptables -w -t nat -D ${rule}`}`);
        assertEquals(code, 0, text);
        assertEquals(told(report).slice(2, 7), [
          "there worker-1 prerouting REWRITTEN",
          "there worker-1 forward FORWARDED",
          "there worker-2 prerouting RECEIVED",
          "there worker-2 forward FORWARDED",
          "there worker-2/web input DELIVERED",
        ]);
        assertStringIncludes(report.remarks.join(), "goes to web on worker-2");
      },
    );

    await t.step("to a port that nothing listens at", async () => {
      for (const more of [[], ["--udp"]]) {
        const { report, text } = await traced(
          lab,
          ...[
            "worker-1/shell",
            "worker-2/web",
            "--port",
            "53",
            ...more,
          ] as const,
        );
        const { what = "" } = report.cause ?? {};
        assertStringIncludes(what, "port 53 and refuses it", text);
      }
    });

    await t.step("to an address that no pod has", async () => {
      const { report, code, text } = await traced(
        lab,
        "worker-1/shell",
        "10.244.2.99",
      );
      assertEquals(code, 1, text);
      assertEquals(report.to, { address: "10.244.2.99" });
      assertEquals(
        report.cause?.what,
        "no pod of worker-2 has the address 10.244.2.99",
      );
    });

    await t.step("to an address beyond the lab", async () => {
      const { report, code, text } = await traced(lab, "worker-1", "192.0.2.1");
      assertEquals(code, 1, text);
      assertStringIncludes(report.cause?.what ?? "", "no way to 192.0.2.1");
    });

    await t.step("from a pod that only the runtime's cache names", async () => {
      const result = JSON.parse(
        await lab.on("worker-1", cmd`cat /run/deno-cni-pods/shell.json`),
      );
      const entry = JSON.stringify({
        kind: "cniCacheV1",
        cniArgs: [["K8S_POD_NAME", "front-worker-1"]],
        result: {
          ...result,
          interfaces: [{ name: "eth0", sandbox: "/run/netns/cni-1" }],
        },
      });
      const script =
        "ln -s shell /run/netns/cni-1; mkdir -p /var/lib/cni/results; " +
        'printf "%s" "$1" >/var/lib/cni/results/deno-cni-1-eth0';
      await lab.on("worker-1", cmd`sh -euc ${script} x ${entry}`);
      for (const name of ["front", "front-worker-1"]) {
        const { report, code, text } = await traced(
          lab,
          `worker-1/${name}`,
          "worker-2/web",
        );
        assertEquals(code, 0, text);
        assertEquals(report.from.pod, name);
      }
      const after = "rm /run/netns/cni-1 /var/lib/cni/results/deno-cni-1-eth0";
      await lab.on("worker-1", cmd`sh -euc ${after}`);
    });

    await t.step("the table of it fits 80 columns", async () => {
      const { stdout, code } = await lab.script(
        "trace",
        ...["--from", "worker-1/shell", "--to", "outside"],
      );
      assertEquals(code, 0);
      const widest = Math.max(
        ...stdout.split("\n").map((line) => [...line].length),
      );
      assert(widest < 80, stdout);
      assertStringIncludes(stdout, "nothing is wrong on this path");
      assert(!stdout.includes("\x1b"), "colour without a terminal");
    });

    for (const end of ["worker-1/web", "worker-1"]) {
      await t.step(`${end} to itself`, async () => {
        const { report: { remarks }, code, text } = await traced(lab, end, end);
        assertEquals(code, 0, text);
        const [pod] = end.split("/").slice(1);
        const place = pod === undefined ? end : `${pod} on worker-1`;
        assertEquals(remarks[0]?.split(":")[0], `both ends are ${place}`, text);
      });
    }

    const wrong = [
      [
        ["--from", "worker-1/none", "--to", "worker-2"],
        "starts the test pods shell and web on every worker",
      ],
      [
        ["--from", "nobody", "--to", "worker-2"],
        "--from nobody: expected a pod",
      ],
      [["--from", "worker-1", "--to", "nobody"], "--to nobody: expected a pod"],
      [["--from", "worker-1"], "expected --from and --to"],
      [["--from", "worker-1", "--to", "fd00::1"], "has no IPv6"],
      [["--from", "worker-1", "--to", "master", "--undo"], "changes nothing"],
      [["--from", "worker-1", "--to", "master", "--family", "5"], "4 or 6"],
    ] as const;
    for (const [args, says] of wrong) {
      await t.step(`${args.join(" ")} is refused`, async () => {
        const { code, stderr } = await lab.script("trace", ...args);
        assertEquals(code, 2, stderr);
        assertStringIncludes(stderr, says);
      });
    }

    await t.step("a machine without nft is told what it lacks", async () => {
      const path = (await lab.on("worker-2", cmd`which nft`)).trim();
      await lab.on("worker-2", cmd`mount --bind /dev/null ${path}`);
      const { code, stderr } = await lab.script(
        "trace",
        ...["--from", "worker-1/shell", "--to", "worker-2/web"],
      );
      await lab.on("worker-2", cmd`umount ${path}`);
      assertEquals(code, 1);
      assertStringIncludes(stderr, "worker-2 has no nft");
      assertStringIncludes(stderr, "apt-get install nftables");
    });

    assertEquals(await leftovers(lab), "");

    await t.step("with a machine that does not run", async () => {
      await runAll(lab, ["down"]);
      const { code, stderr } = await lab.script(
        "trace",
        ...["--from", "worker-1/shell", "--to", "worker-2/web"],
      );
      assertEquals(code, 4);
      assertStringIncludes(stderr, "not running: make 01-provision");
    });
  },
});

/** A trace under way: the table is there. */
async function begun(lab: TestLab): Promise<Deno.ChildProcess> {
  const { argv: [program, ...args] } = scriptCommand(
    "trace",
    lab.file,
    ...["--from", "worker-1/shell", "--to", "worker-2/web"],
  );
  const child = new Deno.Command(program, {
    args,
    env: lab.env,
    stdout: "null",
    stderr: "null",
  }).spawn();
  let over = false;
  child.status.then(() => over = true);
  const seen = async () =>
    succeeded(
      await lab.node("worker-1").run(cmd`nft list table inet deno-cni-trace`),
    );
  while (!await seen()) {
    // A machine that is busy looks too late.
    if (over) return await begun(lab);
  }
  return child;
}

Deno.test({
  ...needsRoot,
  name: "a trace that is cut off leaves no tracing rule behind (needs root)",
  async fn(t) {
    await using lab = await testLab("trace-cut");
    await runAll(lab, ["up"]);
    // Packets that get no answer keep it waiting.
    await lab.on("worker-1", cmd`sysctl -w net.ipv4.ip_forward=0`);

    await t.step("by Ctrl-C", async () => {
      const child = await begun(lab);
      child.kill("SIGINT");
      assertEquals((await child.status).code, 130);
      assertEquals(await leftovers(lab), "");
    });

    await t.step("by Ctrl-C twice", async () => {
      const child = await begun(lab);
      child.kill("SIGINT");
      child.kill("SIGINT");
      assertEquals((await child.status).code, 130);
      assertEquals(await leftovers(lab), "");
    });

    await t.step("by a kill: the next trace takes it away", async () => {
      const child = await begun(lab);
      child.kill("SIGKILL");
      await child.status;
      assert(await leftovers(lab) !== "");
      const { report, text } = await traced(
        lab,
        "worker-1/shell",
        "worker-2/web",
      );
      assertEquals(report.cause?.kind, "forwarding", text);
      assertEquals(await leftovers(lab), "");
    });

    await t.step("by a kill of its keepers too", async () => {
      const child = await begun(lab);
      child.kill("SIGKILL");
      await child.status;
      for (const name of ["worker-1", "worker-2"]) {
        const script = "kill -KILL $(cat /run/deno-cni-trace/keeper)";
        await lab.on(name, cmd`sh -c ${script}`);
      }
      await traced(lab, "worker-1/shell", "worker-2/web");
      assertEquals(await leftovers(lab), "");
    });

    await t.step(
      "by a kill: it goes by itself when its time is over",
      async () => {
        const watched = { family: 4, ids: [1] } as const;
        const places = [ownNamespace, "/run/netns/web"];
        const worker = lab.node("worker-1");
        const outcome = await worker.run(startMonitor([watched], places, 1));
        assertEquals(outcome.code, 0, outcome.stderr);
        const until = "until [ ! -e /run/deno-cni-trace ]; do sleep 0.1; done";
        await lab.on("worker-1", cmd`sh -c ${until}`);
        assertEquals(await leftovers(lab), "");
      },
    );

    await t.step("by a pod that is gone", async () => {
      const watched = { family: 4, ids: [1] } as const;
      const places = [ownNamespace, "/run/netns/gone"];
      const outcome = await lab.node("worker-1").run(
        startMonitor([watched], places),
      );
      assertEquals(outcome.code, 3);
      assertStringIncludes(outcome.stderr, "/run/netns/gone");
      assertEquals(await leftovers(lab), "");
    });
  },
});

Deno.test({
  ...needsRoot,
  name:
    "a trace follows both families side by side, or one that was asked for (needs root)",
  async fn(t) {
    const dual = await Deno.readTextFile(`${projectRoot}/config/lab-dual.yaml`);
    const name = "trace-dual";
    await using lab = await testLab(
      name,
      () => dual.replace("name: lab-dual\n", `name: ${name}\n`),
    );
    await runAll(lab, ["up"]);
    const trace = (...args: string[]) =>
      traced(lab, "worker-1/shell", "worker-2/web", ...args);
    await t.step("where all is well", async () => {
      const both = await trace();
      assertEquals(both.code, 0, both.text);
      assertEquals(both.report.family, 4);
      assertEquals(both.report.hops.length, 12, both.text);
      assertEquals(both.report.remarks, []);
      const { report, code, text } = await trace("--family", "6");
      assertEquals(code, 0, text);
      assertEquals(report.family, 6);
      assertEquals(told(both.report.otherFamily ?? report), told(report));
      assertStringIncludes(
        decisions(report.hops),
        "fd00:10:244:2::/64 via fd00:10:0:1::12 dev eth0 proto 244 metric 1024 08-routes",
      );
      assertEquals(report.hops.length, 12, text);
    });
    const broken = [
      [
        "sysctl -w net.ipv6.conf.all.forwarding=0",
        "forwarding",
        "06-forwarding",
      ],
      ["ip6tables -w -F FORWARD", "rule", "06-forwarding"],
      ["ip -6 route del fd00:10:244:2::/64", "route", "08-routes"],
    ] as const;
    for (const [line, kind, stage] of broken) {
      await t.step(line, async () => {
        await lab.on("worker-1", cmd`sh -c ${line}`);
        const { report, code, text } = await trace();
        const { delivered, cause, otherFamily } = report;
        assertEquals([code, delivered, cause], [1, true, undefined], text);
        assertEquals(otherFamily?.cause?.kind, kind, text);
        assertEquals(otherFamily?.cause?.mend, [
          `make ${stage} CLUSTER=${lab.file} ARGS="--node worker-1"`,
        ]);
        await runAll(lab, [stage, "--node", "worker-1"]);
      });
    }
    await t.step("two pods with one address", async () => {
      const { report: { to } } = await trace("--family", "6");
      const twin = (verb: string) =>
        lab.on(
          "worker-2",
          cmd`nsenter --net=/run/netns/shell ip addr ${verb} ${to.address}/128 dev eth0 ${
            verb === "add" ? ["nodad"] : []
          }`,
        );
      await twin("add");
      const { report: { cause }, text } = await trace("--family", "6");
      assertEquals([cause?.kind, cause?.on], ["duplicate-address", "worker-2"]);
      assertStringIncludes(
        cause?.what ?? "",
        `pod web and pod shell both have ${to.address}`,
        text,
      );
      await twin("del");
    });
    await t.step("IPv4 is broken, and IPv6 is not", async () => {
      await lab.on("worker-1", cmd`ip route del 10.244.2.0/24`);
      const { report, code, text } = await trace();
      assertEquals([code, report.cause?.kind], [1, "route"], text);
      assertEquals(report.otherFamily?.delivered, true, text);
      assertEquals(report.otherFamily?.cause, undefined, text);
      await runAll(lab, ["08-routes", "--node", "worker-1"]);
    });
    await t.step("a pod without one of them is said to be so", async () => {
      const inside = "nsenter --net=/run/netns/four ip";
      const script =
        "ip netns add four; ip link add four0 type veth peer name eth0 netns four; " +
        `ip link set four0 master cni0 up; ${inside} link set eth0 up; ` +
        `${inside} addr add 10.244.1.99/24 dev eth0; ${inside} route add default via 10.244.1.1`;
      await lab.on("worker-1", cmd`sh -euc ${script}`);
      const end = "worker-1/four";
      const { report, code, text } = await traced(lab, end, "worker-2/web");
      assertEquals([code, report.otherFamily], [0, undefined], text);
      assertStringIncludes(
        report.remarks.join(),
        `IPv6 could not be tried: ${end} has no address`,
      );
    });
    assertEquals(await leftovers(lab), "");
    const { code, text } = await trace();
    assertEquals(code, 0, text);
  },
});

sshTest("a trace over ssh is the lab's own", async () => {
  const name = "trace-ssh";
  await using lab = await testLab(name);
  await runAll(lab, ["up"]);
  const folder = lab.file.slice(0, lab.file.lastIndexOf("/"));
  const ssh = await startSshLab(lab.cluster, folder);
  const file = `${folder}/${name}-ssh.yaml`;
  await Deno.writeTextFile(file, sshFile(`${name}-ssh`, lab.cluster));
  const { argv } = scriptCommand(
    "trace",
    file,
    ...["--from", "worker-1/shell", "--to", "worker-2/web", "-o", "json"],
  );
  const over = await ssh.client(
    cmd`env DENO_CNI_STATE=${folder}/ssh-state ${argv}`,
  );
  assertEquals(over.code, 0, over.stderr + over.stdout);
  const { report } = await traced(lab, "worker-1/shell", "worker-2/web");
  assertEquals(told(JSON.parse(over.stdout)), told(report));
  assertEquals(await leftovers(lab), "");
});

runtimeTest(
  "a trace follows packets between containers",
  ["containerd", "runc", "busybox-static"],
  async () => {
    await using lab = await testLab("trace-containers");
    const env = { ...lab.env, DENO_CNI_RUNTIME: "containerd" };
    const script = (name: string, ...args: string[]) =>
      run(scriptCommand(name, lab.file, ...args), { env, timeout_ms: 120_000 });
    const up = await script("up");
    assertEquals(up.code, 0, up.stderr);
    const ends = ["--from", "worker-1/shell", "--to", "worker-2/web"];
    const { code, stdout, stderr } = await script("trace", ...ends);
    assertEquals(code, 0, stdout + stderr);
    assertStringIncludes(stdout, "nothing is wrong on this path");
  },
);
