/** What is remembered of a lab's exercises, and which of them a surprise may be. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import { exercises } from "./catalog.ts";
import { hintsGiven, listExercises, pickSurprise } from "./list.ts";
import { writeExerciseBook } from "./progress_file.ts";

Deno.test("a surprise is one that was not solved, and that every kernel can have", async () => {
  const stateDir = await Deno.makeTempDir();
  const cluster = labCluster({ name: "lab", stateDir });
  const all = exercises(cluster);
  const picked = async () =>
    await Promise.all(
      all.map((_, at) => pickSurprise(cluster, at / all.length)),
    );
  const able = all.filter(({ needs }) => needs === undefined);
  assert(able.length < all.length);
  assertEquals(
    new Set((await picked()).map(({ id }) => id)),
    new Set(able.map(({ id }) => id)),
  );
  const [first, ...rest] = able;
  assert(first);
  const begun = { [first.id]: { hints: 2, before: {} } };
  await writeExerciseBook(cluster, { solved: rest.map(({ id }) => id), begun });
  assertEquals(new Set((await picked()).map(({ id }) => id)).size, 1);
  assertEquals((await listExercises(cluster))[0]?.state, "open");
  assertEquals(await hintsGiven(cluster, first), 2);
  await Deno.remove(stateDir, { recursive: true });
});
