/**
 * The doctor's checks of settings: what the bridge takes from pods, and whether
 * it can have IPv6 at all. Pure.
 */
import { familiesOf } from "../cluster/address_family.ts";
import { cmd } from "../exec/command.ts";
import {
  type Check,
  type CheckContext,
  type Finding,
  lacking,
  shownBy,
  unclear,
} from "./check.ts";
import { evidence } from "../diagnosis/evidence.ts";
import { makeStage, onNode } from "../diagnosis/remedy.ts";
import { someNames } from "../text/some_names.ts";
import type { Asked } from "../node/batch.ts";
import {
  settingName,
  takenFromPods as refused,
} from "../net/interface_settings.ts";
import {
  fullPodName,
  podAddressesCommand,
  podsAnew,
} from "../verify/pod_remedy.ts";

const path = (family: 4 | 6, link: string, name: string) =>
  `/proc/sys/net/ipv${family}/conf/${link}/${name}`;

/** The value of a file in what `grep -Hs ""` printed; undefined where there is no such file. */
function valueOf(asked: Asked | undefined, file: string): number | undefined {
  const line = asked?.outcome.stdout.split("\n")
    .find((line) => line.startsWith(`${file}:`));
  return line === undefined ? undefined : Number(line.slice(file.length + 1));
}

/** 1: no file has a line; 2: some file is not there (grep(1)). */
function isAnswer(asked: Asked | undefined): asked is Asked {
  return [0, 1, 2].includes(asked?.outcome.code ?? NaN);
}

/** What a pod can do by each of these. */
const harm = {
  accept_ra: "a router advertisement makes a pod the node's router",
  accept_redirects: "a redirect sends others' packets to a pod",
  accept_source_route: "a pod chooses its packets' way",
} as const;

const takenFromPods: Check = {
  name: "taken-from-pods",
  well: "the bridge takes no routers, redirects or source routes from pods",
  asks: ({ cluster: { bridge } }) => [
    cmd`grep -Hs ${""} ${
      refused.map(({ family, name }) => path(family, bridge, name))
    }`,
  ],
  read(context, [asked]) {
    const { cluster: { bridge }, host, node } = context;
    if (!host.links.some(({ name }) => name === bridge)) return [];
    if (!isAnswer(asked)) {
      return [unclear("what the bridge takes from pods", asked)];
    }
    const found = refused.filter(({ family, name }) =>
      (valueOf(asked, path(family, bridge, name)) ?? 0) > 0
    );
    if (found.length === 0) return [];
    const names = found.map(({ family, name }) =>
      settingName(family, name, bridge)
    );
    const what = `${names.join(", ")} ${
      names.length === 1 ? "is" : "are"
    } on: ${found.slice(0, 1).map(({ name }) => harm[name]).join()}`;
    if (!host.complete.includes("04-bridge")) {
      return [lacking(context, "04-bridge", what, [evidence(asked)])];
    }
    return [{
      is: "warning",
      what,
      evidence: [evidence(asked)],
      remedies: [
        onNode(node.name, cmd`sysctl -w ${names.map((name) => `${name}=0`)}`),
      ],
    }];
  },
};

/** The least MTU of a link with IPv6 (RFC 8200, 5); a smaller one takes it off the link. */
const leastMtu = 1280;

const ipv6: Check = {
  name: "ipv6",
  well: "IPv6 is on wherever pods need it",
  asks: (context) =>
    familiesOf(context.cluster).includes(6)
      ? [
        cmd`grep -Hs ${""} ${
          places(context).map((place) => path(6, place, "disable_ipv6"))
        }`,
      ]
      : [],
  read(context, [asked]) {
    if (!familiesOf(context.cluster).includes(6)) {
      return [{ is: "does not apply", what: "the pod network has no IPv6" }];
    }
    return [...disabled(context, asked), ...narrow(context)];
  },
};

/** The bridge, and what a bridge or a pod's link that is made anew begins with. */
function places({ cluster: { bridge } }: CheckContext): readonly string[] {
  return ["default", bridge];
}

function disabled(
  context: CheckContext,
  asked: Asked | undefined,
): readonly Finding[] {
  const { node } = context;
  if (!isAnswer(asked)) {
    return [unclear("whether IPv6 is on", asked)];
  }
  if (valueOf(asked, path(6, "default", "disable_ipv6")) === undefined) {
    return [{
      is: "fault",
      what: "the kernel has no IPv6, and every ADD fails",
      evidence: [evidence(asked)],
      remedies: [{
        say: `start ${node.name} without ipv6.disable=1 (cat /proc/cmdline)`,
      }],
    }];
  }
  return places(context)
    .filter((place) => valueOf(asked, path(6, place, "disable_ipv6")) === 1)
    .map((place): Finding => {
      const name = settingName(6, "disable_ipv6", place);
      return {
        is: "fault",
        what: `IPv6 is off by ${name}: ` +
          (place === "default"
            ? "a bridge that is made anew takes no IPv6 address"
            : "the bridge takes no IPv6 address, and every ADD fails"),
        evidence: [evidence(asked)],
        remedies: [onNode(node.name, cmd`sysctl -w ${name}=0`)],
      };
    });
}

/** Links that are too narrow for IPv6: the bridge, and those of pods. */
function narrow(context: CheckContext): readonly Finding[] {
  const { cluster, host, node } = context;
  const bridge = host.links.filter(({ name, mtu }) =>
    name === cluster.bridge && mtu < leastMtu
  );
  const pods = host.pods.filter(({ links }) =>
    links.some(({ mtu }) => mtu < leastMtu)
  );
  if (bridge.length + pods.length === 0) return [];
  const [link] = [...bridge, ...pods.flatMap(({ links }) => links)]
    .filter(({ mtu }) => mtu < leastMtu);
  const where = [
    ...bridge.map(({ name }) => name),
    ...(pods.length === 0 ? [] : [
      `${pods.length} pod${pods.length === 1 ? "" : "s"} (${
        someNames(pods.map(fullPodName))
      })`,
    ]),
  ];
  return [{
    is: "fault",
    what: `an MTU of ${link?.mtu} is too small for IPv6, which needs ` +
      `${leastMtu}, on ${where.join(" and ")}`,
    evidence: [
      ...bridge.map(({ name }) =>
        shownBy(context, cmd`ip link show dev ${name}`)
      ),
      ...pods.slice(0, 1).map((pod) =>
        shownBy(context, podAddressesCommand(pod))
      ),
    ],
    remedies: [
      ...(cluster.mtu !== undefined && cluster.mtu < leastMtu
        ? [
          { say: `write an mtu of ${leastMtu} or more into ${cluster.file}` },
          { stage: "03-cni-config" as const },
        ]
        : []),
      ...bridge.map(({ name }) =>
        onNode(node.name, cmd`ip link set dev ${name} mtu ${leastMtu}`)
      ),
      ...(bridge.length === 0 ? [] : [makeStage("04-bridge", node.name)]),
      ...podsAnew(cluster, node.name, pods),
    ],
  }];
}

export const settingChecks: readonly Check[] = [takenFromPods, ipv6];
