/** Stages 01 and 08 on GCP from end to end, with a stand-in for gcloud, and a lab's nodes for machines. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Outcome } from "../../lib/exec/command.ts";
import type { RunReport } from "../../lib/cli/report.ts";
import { secret, type TestCloud, withCloud } from "./clouds_testing.ts";

function rooted(name: string, body: (cloud: TestCloud) => Promise<void>): void {
  const ignore = Deno.uid() !== 0;
  const fn = () => withCloud("gcp", body);
  Deno.test({ name: `${name} (needs root)`, ignore, fn });
}

function done(outcome: Outcome, code = 0): Outcome {
  assertEquals(outcome.code, code, outcome.stderr + outcome.stdout);
  return outcome;
}

type Things = Record<string, Record<string, unknown>>;

async function made({ fake }: TestCloud): Promise<Things> {
  return JSON.parse(await Deno.readTextFile(`${fake}/made`));
}

async function change(
  cloud: TestCloud,
  how: (all: Things) => void,
): Promise<void> {
  const all = await made(cloud);
  how(all);
  await Deno.writeTextFile(`${cloud.fake}/made`, JSON.stringify(all));
}

/** What was called for that changes something: the verb and the name. */
async function acts(cloud: TestCloud): Promise<string[]> {
  return (await cloud.calls()).flatMap((call) => {
    const words = /(?:^| )((?:create|delete|start|update) \S+)/.exec(call);
    return words?.[1] === undefined ? [] : [words[1]];
  });
}

rooted(
  "from nothing to routed machines and back: asked, made once, reached, routed, mended, taken back",
  async (cloud) => {
    const refused = done(await cloud.script("01-provision"), 1);
    assertStringIncludes(
      refused.stderr,
      "refused: this would make machines on GCP (e2-small, europe-west3-a), which cost money",
    );
    assert(
      !Object.keys(await made(cloud)).some((path) => path.startsWith("inst")),
    );

    const run = done(await cloud.script("01-provision", "-y"));
    assertStringIncludes(
      run.stderr,
      "$ gcloud compute instances create gcp-worker-2",
    );
    const things = await made(cloud);
    assertEquals(Object.keys(things).toSorted(), [
      "firewall-rules/gcp-inside",
      "firewall-rules/gcp-ssh",
      "instances/gcp-master",
      "instances/gcp-worker-1",
      "instances/gcp-worker-2",
      "networks/gcp",
      "subnetworks/gcp",
    ]);
    assertEquals(things["firewall-rules/gcp-ssh"]?.sourceRanges, [
      "198.51.100.7/32",
    ]);
    assertEquals(things["firewall-rules/gcp-inside"]?.sourceRanges, [
      "10.0.1.0/24",
      "10.244.0.0/16",
    ]);

    await acts(cloud);
    const again = done(await cloud.script("01-provision", "-o", "json"));
    const { recap } = JSON.parse(again.stdout) as RunReport;
    assertEquals(Object.values(recap).map(({ changed }) => changed), [
      0,
      0,
      0,
      0,
    ]);
    assertEquals(await acts(cloud), []);

    // Another address of the operator's, and a machine that somebody stopped.
    await Deno.writeTextFile(`${cloud.fake}/caller`, "198.51.100.99");
    await change(cloud, (all) => {
      all["instances/gcp-worker-1"] = {
        ...all["instances/gcp-worker-1"],
        status: "TERMINATED",
      };
    });
    done(await cloud.script("01-provision", "-y"));
    assertEquals(await acts(cloud), ["update gcp-ssh", "start gcp-worker-1"]);
    assertEquals((await made(cloud))["firewall-rules/gcp-ssh"]?.sourceRanges, [
      "198.51.100.99/32",
    ]);

    done(await cloud.script("08-routes"));
    assertEquals(await acts(cloud), [
      "create gcp-master",
      "create gcp-worker-1",
      "create gcp-worker-2",
    ]);
    const { destRange, nextHopIp } =
      (await made(cloud))["routes/gcp-worker-1"] ?? {};
    assertEquals({ destRange, nextHopIp }, {
      destRange: "10.244.1.0/24",
      nextHopIp: "10.0.1.11",
    });

    // Another podCIDR for a node: its route is another.
    const text = await Deno.readTextFile(cloud.file);
    await Deno.writeTextFile(
      cloud.file,
      text.replace("10.244.1.0/24", "10.244.7.0/24"),
    );
    done(await cloud.script("08-routes"));
    assertEquals(await acts(cloud), [
      "delete gcp-worker-1",
      "create gcp-worker-1",
    ]);

    // One node less: its machine goes, after the question, and its route.
    await Deno.writeTextFile(
      cloud.file,
      text.replace(/ {2}- name: worker-2\n( {4}.*\n)+/, ""),
    );
    done(await cloud.script("01-provision"), 1);
    assertEquals(await acts(cloud), []);
    done(await cloud.script("01-provision", "-y"));
    assertEquals(await acts(cloud), ["delete gcp-worker-2"]);
    done(await cloud.script("08-routes"));
    assert(!("routes/gcp-worker-2" in await made(cloud)));

    await acts(cloud);
    done(await cloud.script("08-routes", "--undo"));
    // A machine that is gone already is no obstacle.
    await change(cloud, (all) => delete all["instances/gcp-worker-1"]);
    done(await cloud.script("01-provision", "--undo", "-y"));
    assertEquals(await made(cloud), {});
    const calls = await Deno.readTextFile(`${cloud.fake}/calls`);
    for (const told of [cloud.printed(), calls]) {
      assert(!told.includes(secret), "the secret was told");
      assert(!/PRIVATE KEY|ssh-ed25519 AAAA/.test(told), "the key was told");
    }
  },
);

rooted(
  "what is somebody else's in GCP is refused, and stays through --undo",
  async (cloud) => {
    const theirs: Things = {
      "networks/gcp": { name: "gcp", description: "of the accountants" },
    };
    await Deno.writeTextFile(`${cloud.fake}/made`, JSON.stringify(theirs));
    const refused = done(await cloud.script("01-provision", "-y"), 1);
    assertStringIncludes(
      refused.stderr,
      "GCP has gcp (networks), and this tool did not make it",
    );
    done(await cloud.script("01-provision", "--undo", "-y"));
    assertEquals(await made(cloud), theirs);
  },
);

rooted(
  "a machine that GCP refuses is told, and the next run goes on where this one stopped",
  async (cloud) => {
    await Deno.writeTextFile(
      `${cloud.fake}/fail`,
      "--private-network-ip=10.0.1.11\nERROR: (gcloud.compute.instances.create) ZONE_RESOURCE_POOL_EXHAUSTED",
    );
    const failed = done(await cloud.script("01-provision", "-y"), 1);
    assertStringIncludes(failed.stderr, "ZONE_RESOURCE_POOL_EXHAUSTED");
    await Deno.remove(`${cloud.fake}/fail`);
    await acts(cloud);
    done(await cloud.script("01-provision", "-y"));
    assertEquals(await acts(cloud), [
      "create gcp-worker-1",
      "create gcp-worker-2",
    ]);
    done(await cloud.script("01-provision", "--undo", "-y"));
    assertEquals(await made(cloud), {});
  },
);
