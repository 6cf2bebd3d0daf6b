/** Which pods and machines share an address of the path. */
import { cmd } from "../exec/command.ts";
import { outsideName } from "../lab/names.ts";
import { askAll, listed, type Question } from "../node/batch.ts";
import type { TraceContext } from "./context.ts";
import { type Claimed, whoHolds } from "./duplicate_addresses.ts";
import type { UnexpectedResponder } from "./findings.ts";
import type { SurveyedLink } from "./machine_survey.ts";

/** Finds out which pod or machine has, or answers for, the address of another. */
export async function identify(
  claimed: readonly Claimed[],
  context: TraceContext,
): Promise<readonly UnexpectedResponder[]> {
  const [answering, holding] = await Promise.all([
    answeringPods(claimed, context),
    Promise.all(claimed.map((one) => holdingPods(one, context))),
  ]);
  const names = answering.map(({ name }) => name);
  return [
    ...answering,
    ...holding.flat().filter(({ name }) => !names.includes(name)),
  ];
}

/** The pods of a claim's bridge that have its pod's address, too, in their namespaces. */
async function holdingPods(
  addressClaim: Claimed,
  { machines, cluster, runnerOf, options }: TraceContext,
): Promise<readonly UnexpectedResponder[]> {
  const { at, pod, address } = addressClaim;
  if (pod === undefined) return [];
  const runner = runnerOf(at);
  const [found] = await askAll(runner, [whoHolds(addressClaim, pod)], options);
  const names = found?.outcome.stdout.split("\n").filter((name) => name) ?? [];
  const answers = await askAll(
    runner,
    names.map((name) => ({
      where: `${name} on ${at}`,
      command: cmd`ip -j addr show`,
      sandbox: `/run/netns/${name}`,
    })),
    options,
  );
  return answers.flatMap((asked, index) => {
    const link = listed<SurveyedLink>(asked).find(({ addr_info }) =>
      addr_info.some(({ local }) => local === address)
    );
    const port = machines.get(at)?.links.find(({ ifindex, master }) =>
      ifindex === link?.link_index && master === cluster.bridge
    );
    const name = names[index];
    if (link === undefined || port === undefined || name === undefined) {
      return [];
    }
    return [{
      addressClaim,
      mac: link.address,
      port: port.ifname,
      name,
      asked,
    }];
  });
}

/** What answers with another link-layer address than it should. */
async function answeringPods(
  claimed: readonly Claimed[],
  { machines, cluster, runnerOf, options }: TraceContext,
): Promise<readonly UnexpectedResponder[]> {
  const found = claimed.flatMap((addressClaim) =>
    addressClaim.answered.filter((mac) => mac !== addressClaim.expected)
      .map((mac) => ({ addressClaim, mac }))
  );
  return await Promise.all(found.map(async ({ addressClaim, mac }) => {
    const machine = machines.get(addressClaim.at);
    const runner = runnerOf(addressClaim.at);
    const where = addressClaim.at;
    const ask = async (questions: readonly Question[], on = runner) =>
      await askAll(on, questions, options);
    const show = cmd`ip -j addr show to ${addressClaim.address}`;
    if (
      addressClaim.link !== cluster.bridge &&
      addressClaim.place.pod === undefined
    ) {
      // On the lab's segment there is one host that is no node.
      if (cluster.provider !== "lab") return { addressClaim, mac };
      const question = { where: outsideName, command: show };
      const [asked] = await ask([question], runnerOf(outsideName));
      const held = asked?.outcome.stdout.includes(addressClaim.address) ??
        false;
      return held && asked !== undefined
        ? { addressClaim, mac, name: outsideName, asked }
        : { addressClaim, mac };
    }
    const fdb = cmd`bridge fdb show br ${cluster.bridge}`;
    const [table] = await ask([{ where, command: fdb }]);
    const port = new RegExp(`^${mac} dev (\\S+) `, "m")
      .exec(table?.outcome.stdout ?? "")?.[1];
    if (port === undefined) return { addressClaim, mac };
    const link = machine?.links.find(({ ifname }) => ifname === port);
    const name = machine?.namespaceNames.get(link?.link_netnsid ?? -1);
    if (name === undefined) return { addressClaim, mac, port };
    const sandbox = `/run/netns/${name}`;
    const inside = { where: `${name} on ${where}`, command: show, sandbox };
    const [asked] = await ask([inside]);
    return { addressClaim, mac, port, name, ...(asked && { asked }) };
  }));
}
