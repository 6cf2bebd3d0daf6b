// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { show } from "../exec/command.ts";
import { projectRoot } from "../exec/project_root.ts";
import { builders, type Recipe } from "./builder.ts";

const recipe: Recipe = {
  context: "/build/context",
  containerfile: "/p/Containerfile",
  work: "/build",
  archive: "/build/made.tar",
  name: "localhost/deno-cni:0.1.0",
  version: "0.1.0",
  revision: "abc",
  architecture: "aarch64",
  epoch_s: 1700000000,
};

Deno.test("every builder is told the processor, the version, the one time of all files, and where the archive goes", () => {
  for (const [name, { commands }] of Object.entries(builders)) {
    const lines = commands(recipe).map(show);
    const [build = ""] = lines;
    for (
      const word of [
        "--platform=linux/arm64",
        "--build-arg=VERSION=0.1.0",
        "--build-arg=REVISION=abc",
        "1700000000",
        "/build/context",
      ]
    ) assertStringIncludes(build, word, name);
    assertStringIncludes(lines.at(-1) ?? "", "/build/made.tar");
  }
});

Deno.test("buildah and podman keep all that they store in the folder that is thrown away", () => {
  for (const name of ["buildah", "podman"] as const) {
    for (const command of builders[name].commands(recipe)) {
      assertEquals(command.argv.slice(1, 3), [
        "--root=/build/store",
        "--runroot=/build/run",
      ]);
    }
  }
});

Deno.test("the Containerfile starts from nothing, starts Deno itself, and uses what the builders are told", async () => {
  const file = `${projectRoot}/config/kubernetes/Containerfile`;
  const text = await Deno.readTextFile(file);
  assertEquals(text.match(/^FROM .*$/gm), ["FROM scratch"]);
  assertEquals(/^RUN /m.test(text), false);
  const [, entrypoint = "[]"] = /^ENTRYPOINT (.*)$/m.exec(text) ?? [];
  const argv: string[] = JSON.parse(entrypoint);
  assertEquals(argv[0], "/usr/bin/deno");
  assertEquals(argv.at(-1), "/usr/lib/deno-cni/agent.js");
  for (const name of ["VERSION", "REVISION"]) {
    assert(text.includes(`ARG ${name}\n`) && text.includes(`\${${name}}`));
  }
});
