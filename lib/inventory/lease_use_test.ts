// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { makeLine } from "../cluster/make_line.ts";
import { run } from "../exec/run.ts";
import { releaseCommand } from "./lease_use.ts";

async function files(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder)))
    .map(({ name }) => name).toSorted();
}

Deno.test("few leases are named one by one, many by ranges, and each is removed under the store's lock", async () => {
  assertEquals(
    releaseCommand(["/run/n/10.244.1.2"]).argv.join(" "),
    "flock /run/n/lock rm -f /run/n/10.244.1.2",
  );
  const folder = await Deno.makeTempDir({ prefix: "two words " });
  try {
    const gone = [
      ...Array.from({ length: 250 }, (_, at) => `10.244.1.${at + 2}`),
      ...["10.244.2.9", "10.244.2.11", "fd00:10:244:1::2", "fd00:10:244:1::a"],
    ];
    const kept = ["10.244.2.10", "10.244.1.1", "last_reserved_ip.0", "lock"];
    for (const name of [...gone, ...kept]) {
      await Deno.writeTextFile(`${folder}/${name}`, "");
    }
    const command = releaseCommand(gone.map((name) => `${folder}/${name}`));
    const line = makeLine("shell", { file: "config/lab.yaml" }, {
      ARGS: ["--", ...command.argv],
    });
    assert(line.length < 250 + 2 * folder.length, line);
    const { code, stderr } = await run(command);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(await files(folder), kept.toSorted());
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
