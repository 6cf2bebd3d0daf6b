// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, succeeded } from "../exec/command.ts";
import { bundleOf, commands } from "../packaging/bundle.ts";
import { projectRoot } from "../exec/project_root.ts";
import { projectVersion } from "../exec/project_version.ts";
import { run } from "../exec/run.ts";
import { makeImage } from "./make_image.ts";
import { layPlugin, layProgram } from "./payload.ts";

/** As the Containerfile starts it: no cache, no packages, nothing of the project's. */
const start = ["run", "--quiet", "--no-config", "--no-lock", "--no-npm"];

Deno.test("the image's program starts without the project's folder, and installs the plugin from beside it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "deno-cni-image-" });
  try {
    const home = `${folder}/home`;
    await Deno.mkdir(home);
    await Deno.mkdir(`${folder}/work`);
    await layProgram(projectRoot, home);
    await layPlugin(projectRoot, `${folder}/work`, home);
    const texts = (await run(cmd`grep -rlF ${projectRoot} ${home}`)).stdout;
    assertEquals(texts, "");
    const env = { PATH: "/nowhere", DENO_DIR: "/dev/null/none", HOME: "/" };
    const program = (...words: string[]) =>
      run(
        cmd`${Deno.execPath()} ${start} --no-remote -A ${home}/agent.js ${words}`,
        { env, cwd: "/" },
      );
    const version = await program("--version");
    assertEquals(version.stdout, `deno-cni ${projectVersion()}\n`);
    const bin = `${folder}/host/opt/cni/bin`;
    const installed = await program("install-plugin", "--to", bin);
    assert(succeeded(installed), installed.stderr);
    const launcher = await Deno.readTextFile(`${bin}/deno-cni`);
    assertStringIncludes(launcher, "/opt/cni/lib/deno-cni/deno");
    const lib = [...Deno.readDirSync(`${folder}/host/opt/cni/lib/deno-cni`)];
    assertEquals(
      lib.map(({ name }) => name).toSorted(),
      [
        "deno",
        ...commands.map(bundleOf),
        "deno-cni-daemon.js",
        "start.js",
      ].toSorted(),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const wanted = Deno.env.get("DENO_CNI_TEST_IMAGE") === "1";

Deno.test({
  name: "the image made twice is the same, and below 90 MB" +
    (wanted
      ? ""
      : " (skipped: set DENO_CNI_TEST_IMAGE=1, wants mmdebstrap, buildah and a mirror)"),
  ignore: !wanted,
  async fn() {
    const make = () =>
      makeImage({
        root: projectRoot,
        name: "localhost/deno-cni-test",
        architecture: Deno.build.arch,
        tell: () => {},
      });
    const first = await make();
    const second = await make();
    assertEquals(second, first);
    assert(first.size_bytes < 90e6, `${first.size_bytes}`);
  },
});
