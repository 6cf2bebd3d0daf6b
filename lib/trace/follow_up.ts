/**
 * A closer look, once the packets are through: what the places know, and
 * whatever may explain a loss.
 */
import type { Command, RunOptions } from "../exec/command.ts";
import { tunnelQuestion } from "../diagnosis/tunnels.ts";
import { gatherNode, type NodeFacts } from "../diagnosis/evidence.ts";
import { outsideName } from "../lab/names.ts";
import { ifname } from "../cni/runtime.ts";
import type { Stage } from "../stage/stage.ts";
import { askAll, type Asked, gathering, listed } from "../node/batch.ts";
import type { TraceContext } from "./context.ts";
import { identifier } from "./capture.ts";
import type { RoutedPacket } from "../diagnosis/routing_policy.ts";
import { routedPacket, routeKey } from "./kernel_routes.ts";
import { inquiry, type PlaceAnswers } from "./place_state.ts";
import { globalAddress, type Place } from "./endpoints.ts";
import { largest, soon_seconds } from "./probe_packets.ts";
import type { FollowedPacket, SizesTried } from "./findings.ts";
import { atPlace, linksQuestion, sendAll, sizesBelow } from "./send_packets.ts";
import type { SurveyedLink } from "./machine_survey.ts";
import type { Heard } from "./passages.ts";

/** Asks every place what it knows, once the packets are through. */
export async function inquire(
  heard: readonly Heard[],
  sent: readonly FollowedPacket[],
  context: TraceContext,
): Promise<(place: Place) => PlaceAnswers> {
  const { family, runnerOf, options } = context;
  const inquiries = heard.map((one) => ({
    place: one.place,
    ...inquiry(one, family, packetsAt(one, sent, context)),
  }));
  const byMachine = Map.groupBy(inquiries, ({ place }) => place.machine);
  const found = await Promise.all(
    [...byMachine].map(async ([machine, own]) => {
      const questions = own.flatMap(({ questions }) => questions);
      const answers = await askAll(runnerOf(machine), questions, options);
      let at = 0;
      return own.map(({ questions, read }) =>
        read(answers.slice(at, at += questions.length))
      );
    }),
  );
  const all = found.flat();
  return (place) => {
    const answers = all.find((answers) =>
      answers.place.machine === place.machine &&
      answers.place.pod?.sandbox === place.pod?.sandbox
    );
    if (answers === undefined) throw new TypeError("nobody listened there");
    return answers;
  };
}

/** The packets whose routes a place is asked for: as they were, and by destination alone. */
function packetsAt(
  { place, events }: Heard,
  sent: readonly FollowedPacket[],
  { from, to, called }: TraceContext,
): readonly RoutedPacket[] {
  const passages = sent.flatMap(({ there, back }) =>
    [...there.passages, ...back.passages].filter((one) => one.place === place)
  );
  const ends = [from, to, called].map(({ address }) => address);
  const seen = events.map(({ packet }) => packet.destination);
  const asked: readonly RoutedPacket[] = [
    ...[...ends, ...seen].map((destination) => ({ destination })),
    ...passages.flatMap((passage) => routedPacket(passage) ?? []),
    // Their answers, as the end that took them would send those.
    ...passages.flatMap(({ taken }) =>
      taken === undefined
        ? []
        : [{ source: taken.destination, destination: taken.source }]
    ),
    ...[[from, to], [to, from]].flatMap(([own, other]) =>
      own?.machine === place.machine && other !== undefined
        ? [{ source: own.address, destination: other.address }]
        : []
    ),
  ];
  return [...new Map(asked.map((one) => [routeKey(one), one])).values()];
}

/** Where only the largest packet gets no answer: which one does, and which link is in its way? */
export async function trySizes(
  { sending, answered }: FollowedPacket,
  context: TraceContext,
): Promise<SizesTried | undefined> {
  const { size_bytes } = sending;
  if (answered || sending.kind !== "full-mtu" || size_bytes === undefined) {
    return undefined;
  }
  const { to, family, places: [sender], runnerOf, options, cluster } = context;
  if (sender === undefined) return undefined;
  const tries = sizesBelow(size_bytes).map((size_bytes) => ({
    kind: "full-mtu" as const,
    command: largest(
      to.address,
      identifier(),
      size_bytes,
      family,
      soon_seconds,
    ),
    size_bytes,
  }));
  const lookedAt = [...context.machines.keys()];
  if (cluster.provider === "lab") lookedAt.push(outsideName);
  const [answers, links] = await Promise.all([
    sendAll(runnerOf(sender.machine), sender, tries, options),
    Promise.all([...new Set(lookedAt)].map(async (machine) => {
      const question = { where: machine, command: linksQuestion };
      const [asked] = await askAll(runnerOf(machine), [question], options);
      return { machine, asked };
    })),
  ]);
  const passed = answers.filter(({ answered }) => answered).at(-1);
  return {
    narrow: links.flatMap(({ machine, asked }) =>
      asked === undefined ? [] : narrowLinks(machine, asked, size_bytes)
    ),
    ...(passed?.sending.size_bytes === undefined ? {} : {
      passes: {
        size_bytes: passed.sending.size_bytes,
        asked: {
          where: sender.machine,
          command: passed.sending.command,
          outcome: passed.outcome,
        },
      },
    }),
  };
}

function narrowLinks(
  machine: string,
  asked: Asked,
  size_bytes: number,
): SizesTried["narrow"] {
  return listed<SurveyedLink>(asked)
    // A bridge goes down with its narrowest port, which is what is to be mended.
    .toSorted((a, b) =>
      Number(b.master !== undefined) - Number(a.master !== undefined)
    )
    .filter(({ mtu }) => mtu < size_bytes)
    .map(({ ifname, mtu }) => ({ machine, link: ifname, mtu, asked }));
}

/** What the nodes say of themselves, for the explanation. */
export async function gather(
  { cluster, from, to, machines, runnerOf, options, family }: TraceContext,
  stages: readonly Stage[],
): Promise<ReadonlyMap<string, NodeFacts>> {
  const names = new Set([from.machine, to.machine]);
  const involved = cluster.nodes.filter(({ name }) => names.has(name));
  const facts = await Promise.all(involved.map(async (node) => {
    const runner = gathering(runnerOf(node.name));
    const pods = [from, to].flatMap((end) => {
      const { machine, pod, address } = end;
      if (machine !== node.name || pod === undefined) return [];
      const place = { machine, pod };
      const own = pod.links.find(({ ifname: name }) => name === ifname);
      const host = machines.get(machine)?.links
        .find(({ ifindex }) => ifindex === own?.link_index);
      const result = pod.result ?? {
        address,
        addresses: [globalAddress(own, family) ?? address],
        hostLinks: [cluster.bridge, ...(host ? [host.ifname] : [])],
        whole: {},
      };
      return [{
        pod: pod.name,
        sandbox: pod.sandbox,
        result: { ...result, address },
        inside: {
          name: `${pod.name} on ${machine}`,
          enter: (command: Command) => runner.enter(atPlace(command, place)),
          run: (command: Command, options?: RunOptions) =>
            runner.run(atPlace(command, place), options),
        },
      }];
    });
    const probed = stages.map((stage) => ({
      stage: stage.name,
      steps: stage.steps?.({ cluster, node }) ?? [],
    }));
    const found = await gatherNode(
      runner,
      node,
      probed,
      pods,
      options,
      tunnelQuestion(cluster, node),
    );
    return [node.name, found] as const;
  }));
  return new Map(facts);
}
