/** Small packets pass, and large ones do not. Pure. */
import { show } from "../command.ts";
import { evidence, listed } from "../evidence.ts";
import { type Cause, newPods, onNode } from "../suspects.ts";
import type { Scene } from "./scene.ts";
import type { Link } from "./survey.ts";

/** The cause of a packet of full length that got no answer. */
export function mtuFault(scene: Scene): Cause {
  const { followed: { sending, said }, from, to, sizes, cluster } = scene;
  const size_bytes = sending.size_bytes ?? 0;
  const narrow = sizes?.narrow.toSorted((a, b) => a.mtu - b.mtu)[0];
  const most = sizes?.passes?.size_bytes ?? narrow?.mtu;
  const where = from.pod === undefined
    ? from.machine ?? ""
    : `${from.pod.name} on ${from.machine}`;
  const limit = most === undefined ? "fewer" : `at most about ${most}`;
  return {
    kind: "mtu",
    on: narrow?.machine ?? from.machine ?? "",
    what: `packets of ${size_bytes} bytes do not get from ${from.machine} to ` +
      `${to.machine ?? to.address} and back, and smaller ones do: ` +
      (narrow === undefined
        ? `something between carries ${limit} bytes`
        : `${narrow.link} of ${narrow.machine} carries ${narrow.mtu} bytes`) +
      ". TCP hides it until it sends much at once",
    evidence: [
      { where, command: show(sending.command), printed: said },
      ...(sizes?.passes === undefined ? [] : [{
        where,
        command: show(sizes.passes.asked.command),
        printed: "answered",
      }]),
      ...(narrow === undefined ? [] : [
        evidence(
          narrow.asked,
          listed<Link>(narrow.asked)
            .filter(({ ifname }) => ifname === narrow.link)
            .map(({ ifname, mtu }) => ({ ifname, mtu }))[0],
        ),
      ]),
    ],
    mend: narrow !== undefined
      ? [
        onNode(
          narrow.machine,
          `ip link set ${narrow.link} mtu ${size_bytes}`,
        ),
      ]
      : [
        `in ${cluster.file} write mtu: ${
          most ?? 1280
        }, then make 03-cni-config`,
        ...(from.machine === undefined ? [] : newPods(from.machine)),
      ],
  };
}
