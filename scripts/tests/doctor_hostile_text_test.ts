/** Every reader of what nodes say, given names by which somebody means harm. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { labCluster } from "../../lib/cluster/cluster_testing.ts";
import { cmd } from "../../lib/exec/command.ts";
import { causeLines, reported } from "../../lib/diagnosis/cause.ts";
import { checks } from "../../lib/doctor/doctor.ts";
import type { CheckContext, Finding } from "../../lib/doctor/check.ts";
import { doctorText } from "../../lib/doctor/text.ts";
import { run } from "../../lib/exec/run.ts";
import { type Host, readHost } from "../../lib/inventory/inventory.ts";
import { readTable, traverse } from "../../lib/net/iptables.ts";
import { mark } from "../../lib/net/mark.ts";
import { drawMermaid, drawSvg } from "../../lib/picture/picture.ts";
import { pictureChanges } from "../../lib/picture/diff.ts";
import { statusText } from "../../lib/status/text.ts";
import { nastyNames } from "../../lib/text/nasty_testing.ts";
import { isPrintable, printableJSON } from "../../lib/text/printable.ts";
import { findEnd } from "../../lib/trace/endpoints.ts";
import { readMachine } from "../../lib/trace/machine_survey.ts";
import { parseEvents } from "../../lib/trace/nft_events.ts";
import { traceText } from "../../lib/trace/text.ts";
import { diagnosePods } from "../../lib/verify/diagnose_pods.ts";
import { readNodeSurvey } from "../../lib/verify/node_survey.ts";

const cluster = labCluster({ name: "lab", stateDir: "/nowhere" });
const node = cluster.nodes.find(({ name }) => name === "worker-1")!;

/** As iproute2 prints a link: control characters stand as they are. */
function linkText(
  name: string,
  at: number,
  more: string,
  address = "",
): string {
  const text = name.replace(/["\\]/g, "\\$&");
  const addresses = address === ""
    ? ""
    : `{"family":"inet","local":"${address}","prefixlen":32,"scope":"global"}`;
  return `{"ifindex":${at},"ifname":"${text}","ifalias":"${text}",` +
    `"flags":["UP","LOWER_UP"],"operstate":"UP","mtu":1500,` +
    `"address":"02:00:00:00:00:0${at}","addr_info":[${addresses}]${more}}`;
}

const linksOf = (name: string) =>
  `[${
    [
      linkText("eth0", 2, "", "10.0.1.11"),
      linkText("cni0", 3, `,"linkinfo":{"info_kind":"bridge"}`),
      linkText(
        name,
        4,
        `,"master":"cni0","linkinfo":{"info_kind":"veth"}`,
        "10.244.2.9",
      ),
    ].join(",")
  }]`;

/** The parts of an answer in which all that can have a name has this one. */
function answer(name: string): readonly { name: string; text: string }[] {
  const routes = JSON.stringify([
    { dst: "10.244.2.0/25", dev: name, gateway: name, protocol: name },
    { dst: name, dev: name },
  ]);
  const rules = `-P FORWARD DROP\n-A FORWARD -m comment --comment "${
    name.replace(/["\\]/g, "\\$&")
  }" -j DROP\n`;
  const store = `/run/deno-cni/networks/${mark}`;
  return Object.entries({
    journal: "",
    links: linksOf(name),
    routes,
    forward4: rules,
    nat4: rules,
    plugins: name,
    "list.path": `/etc/cni/net.d/${name}.conflist`,
    list: JSON.stringify({ name, plugins: [{ type: name }] }),
    leases: [
      `${store}/10.244.1.8:${name}\n${store}/10.244.1.8:${name}`,
      `${store}/1.2:x\n${store}/${name}:x\n${store}/10.244.1.9:`,
    ].join("\n"),
    names: `${name} ${name}`,
    ids: `nsid 0 (iproute2 netns name: ${name})`,
    programs: name,
    pod: name,
    "pod.sandbox": `/run/netns/${name}`,
    "pod.links": `[${linkText("eth0", 2, `,"link_index":4`, "10.244.1.7")},${
      linkText(name, 5, "", "10.244.1.6").replace("1500", "9000")
    }]`,
    "pod.routes": routes,
    "pod.result": name,
    "web.list": name,
    "web.result": name,
    "web.sandbox": name,
  }).map(([name, text]) => ({ name, text }));
}

function findingsOf(host: Host, name: string): readonly Finding[] {
  const context: CheckContext = {
    cluster,
    node,
    host,
    nodes: [{ ...node, host }, { ...node, name: "worker-2", host }],
    asked: { from_s: 0, until_s: 0 },
  };
  const said = [
    answer(name).find((part) => part.name === "forward4")?.text ?? "",
    JSON.stringify({
      nftables: [{
        chain: {
          family: "ip",
          table: name,
          name,
          hook: "forward",
          policy: "drop",
        },
      }],
    }),
    `bin_dir = "${name}"`,
    name,
  ];
  return checks.flatMap((check) =>
    said.flatMap((stdout) => {
      const asked = (check.asks?.(context) ?? []).map((command) => ({
        where: "worker-1",
        command,
        outcome: { code: 0, stdout, stderr: name },
      }));
      return check.read(context, asked);
    })
  );
}

/** Runs lines in a folder where no program does anything; a file there tells of a name that was executed. */
async function paste(lines: Iterable<string>): Promise<void> {
  const cwd = await Deno.makeTempDir();
  const script = [...new Set(lines)].map((line) => `(${line}\n)`).join("\n");
  const options = { cwd, env: { PATH: "/nowhere" } };
  for (const shell of ["/bin/bash", "/bin/dash"]) {
    const { stderr } = await run(cmd`${shell} -c ${script}`, options);
    assert(!/syntax|unterminated|unexpected/i.test(stderr), stderr + script);
  }
  assertEquals([...Deno.readDirSync(cwd)].map(({ name }) => name), []);
  await Deno.remove(cwd, { recursive: true });
}

function assertShown(text: string): void {
  for (const line of text.split("\n")) {
    assert(isPrintable(line), JSON.stringify(line));
  }
}

for (const name of nastyNames) {
  Deno.test(`a node that names things ${JSON.stringify(name)} is read, shown and mended without harm`, async () => {
    const parts = answer(name);
    const host = readHost(parts, "worker-1");
    assertEquals(host.links.map((link) => link.name), ["eth0", "cni0", name]);
    const findings = findingsOf(host, name);
    const told = findings.map((finding) =>
      "remedies" in finding ? reported(finding, cluster) : finding
    );
    assertShown(doctorText({
      version: 1,
      cluster: "lab",
      nodes: [{
        node: "worker-1",
        is: "examined",
        checks: [{ name: "any", well: "", findings: told }],
      }, { node: "worker-2", is: "unreachable", why: name }],
    }, { verbose: true }));
    assertShown(printableJSON(told));
    const mend = told.flatMap((one) => "mend" in one ? one.mend : [])
      .filter((line) => line.startsWith("make "));
    assert(mend.length > 5);
    await paste(mend);
    await paste(
      findings.flatMap((finding) =>
        "evidence" in finding
          ? finding.evidence.map(({ command }) => command)
          : []
      ),
    );
  });

  Deno.test(`status, trace, stage 09 and picture show ${JSON.stringify(name)} as it is, and no more`, () => {
    const parts = answer(name);
    const host = readHost(parts, "worker-1");
    const { leases, brokenLeases: broken, pods } = host;
    assertShown(statusText({
      version: 1,
      cluster: "lab",
      at: "",
      nodes: [{
        ...node,
        has: {
          pods: pods.map((pod) => ({
            name: pod.kubernetesName ?? pod.name,
            addresses: [name],
          })),
          leases: [],
          stale: leases,
          broken,
        },
      }, { ...node, name: "worker-2", unreachable: name }],
      stages: [{
        name: "04-bridge",
        summary: "",
        on: [{
          where: "worker-1",
          is: "drifted",
          changes: [{ why: name, command: name }],
          problems: [name],
        }],
      }],
    }, { cluster, verbose: true }));

    const machine = readMachine("worker-1", "10.0.1.11", parts);
    const end = { is: "pod", node: "worker-1", pod: name } as const;
    assertEquals(findEnd(end, machine, cluster).pod?.name, name);
    parseEvents(`trace id 1 ip ${name} ${name} rule ${name} (verdict drop)\n`);
    const hop = {
      direction: "there",
      node: "worker-1",
      pod: name,
      place: "forward",
      link: name,
      source: name,
      destination: name,
      outcome: "DROPPED",
      by: [{ kind: "rule", text: name }],
    } as const;
    assertShown(traceText({
      version: 1,
      cluster: "lab",
      family: 4,
      from: { node: "worker-1", pod: name, address: "10.244.1.7" },
      to: { address: name },
      packets: [{ kind: "ping", command: "ping", answered: false, said: name }],
      followed: "ping",
      delivered: false,
      hops: [hop],
      lastGood: -1,
      remarks: [name],
    }));

    const stdout = parts.map((part) =>
      `\nB ${part.name}\n${part.text}`
    ).join("") + "\nB end\n";
    const survey = readNodeSurvey({ code: 0, stdout, stderr: "" }, "B");
    assert(survey !== undefined);
    const cause = diagnosePods(
      { node: "worker-1", survey: { ...survey, plugins: [] }, checkErrors: [] },
      cluster,
      undefined,
    );
    assert(cause !== undefined);
    const told = reported(cause, cluster);
    assertShown([told.what, ...causeLines(told)].join("\n"));

    const seen = {
      version: 1,
      cluster: "lab",
      at: "",
      nodes: cluster.nodes.map((node) => ({ ...node, host })),
    } as const;
    assertShown(drawSvg(seen, { cluster }));
    assertShown(drawMermaid(seen, { cluster }));
    const before = {
      ...seen,
      nodes: seen.nodes.map((node) => ({
        ...node,
        host: { ...host, pods: [] },
      })),
    };
    assertShown(pictureChanges(before, seen, cluster).join("\n"));
  });
}

Deno.test("a rule whose comment goes over lines still drops what it drops", () => {
  for (const name of nastyNames) {
    const text = answer(name).find((part) => part.name === "forward4")?.text;
    const packet = {
      source: "10.244.1.2",
      destination: "10.244.2.2",
      reply: false,
    };
    assertEquals(
      traverse(readTable(text ?? ""), "FORWARD", packet).target,
      "DROP",
    );
    assert(traverse(readTable(text ?? ""), "FORWARD", packet).rule, name);
  }
});
