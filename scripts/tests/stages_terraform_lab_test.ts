/**
 * config/terraform/aws/ as terraform itself sees it, and the stage's own
 * commands with the real terraform, without an account and without a network.
 * Skipped where terraform or the provider cannot be had.
 */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { awsSteps } from "../../lib/cloud/aws.ts";
import { cmd, type Command, type Outcome } from "../../lib/exec/command.ts";
import type { Answer, Step } from "../../lib/stage/stage.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { parseCluster } from "../../lib/cluster/load.ts";

const source = `${projectRoot}/config/terraform/aws`;

/** The sources in a folder of the test's own: terraform writes beside them. */
const folder = await Deno.makeTempDir({ prefix: "deno-cni-terraform-" });
const copy = `${folder}/aws`;
const data = `${folder}/data`;

async function copySources(): Promise<void> {
  await Deno.mkdir(`${copy}/tests`, { recursive: true });
  for (const part of ["", "/tests"]) {
    for await (const { name, isFile } of Deno.readDir(source + part)) {
      if (!isFile || name.startsWith(".terraform")) continue;
      await Deno.copyFile(`${source}${part}/${name}`, `${copy}${part}/${name}`);
    }
  }
}

function terraform(...args: string[]): Promise<Outcome> {
  return run(cmd`terraform -chdir=${copy} ${args}`, {
    env: { ...Deno.env.toObject(), TF_DATA_DIR: data },
    timeout_ms: 300_000,
  });
}

/** Why these tests cannot run here; undefined where they can. */
async function whyNot(): Promise<string | undefined> {
  await copySources();
  const version = await terraform("version");
  if (version.code !== 0) return "terraform is missing";
  const init = await terraform("init", "-backend=false", "-input=false");
  return init.code === 0
    ? undefined
    : "terraform init cannot get the AWS provider";
}

const reason = await whyNot();
globalThis.addEventListener("unload", () => {
  Deno.removeSync(folder, { recursive: true });
});

function withTerraform(name: string, body: () => Promise<void>): void {
  Deno.test({
    name: reason === undefined ? name : `${name} (${reason})`,
    ignore: reason !== undefined,
    fn: body,
  });
}

withTerraform("the configuration is formatted", async () => {
  const { code, stdout } = await terraform(
    "fmt",
    "-check",
    "-diff",
    "-recursive",
  );
  assertEquals(code, 0, stdout);
});

withTerraform("the configuration is valid", async () => {
  const { stdout } = await terraform("validate", "-json");
  assertEquals(JSON.parse(stdout).diagnostics, []);
});

withTerraform(
  "addresses, rules, machines, outputs and refusals: terraform's own tests",
  async () => {
    const { code, stdout, stderr } = await terraform("test", "-no-color");
    assertEquals(code, 0, stdout + stderr);
    const [, passed = "0"] = /Success! (\d+) passed, 0 failed/.exec(stdout) ??
      [];
    assert(Number(passed) >= 30, stdout);
  },
);

withTerraform("the outputs are all that the stages read", async () => {
  const text = await Deno.readTextFile(`${copy}/outputs.tf`);
  for (
    const name of [
      "machines",
      "route_table_id",
      "interface_id",
      "public_address",
    ]
  ) {
    assertStringIncludes(text, name);
  }
});

withTerraform(
  "the variables of stage 01 are those that the configuration has",
  async () => {
    const text = await Deno.readTextFile(`${copy}/variables.tf`);
    const declared = [...text.matchAll(/^variable "(\w+)"/gm)].map(([, name]) =>
      name
    );
    const { steps } = await stage();
    const write = steps.find(({ key }) => key === "the variables of terraform");
    assert(write && !("copy" in write.run));
    const given = Object.keys(JSON.parse(write.run.stdin ?? ""));
    assertEquals(
      given.filter((name) => !declared.includes(name)),
      [],
      "terraform only warns of those it does not know",
    );
    assertEquals(
      declared.filter((name) => name !== undefined && !given.includes(name))
        .toSorted(),
      ["image"],
    );
  },
);

/** The steps of stage 01 for a cluster whose state lies in a folder of the test's own. */
async function stage(): Promise<{ steps: Step[]; stateDir: string }> {
  const text = await Deno.readTextFile(`${projectRoot}/config/aws.yaml`);
  const stateRoot = await Deno.makeTempDir({ dir: folder });
  const fixed = text.replace("# sshFrom: [198", "sshFrom: [198");
  const cluster = parseCluster(fixed, "c.yaml", stateRoot);
  return { steps: awsSteps(cluster), stateDir: cluster.stateDir };
}

/** Runs a command of a step with the copied sources, cut off from any network and account. */
function alone(command: Command): Promise<Outcome> {
  const [program, ...args] = command.argv.map((argument) =>
    argument.replace(source, copy)
  );
  const inside = Deno.uid() === 0 ? ["unshare", "--net"] : [];
  const argv = [...inside, program ?? "", ...args] as [string, ...string[]];
  const { PATH = "", TF_CLI_CONFIG_FILE } = Deno.env.toObject();
  return run({ ...command, argv }, {
    env: {
      PATH,
      HOME: folder,
      AWS_EC2_METADATA_DISABLED: "true",
      ...(TF_CLI_CONFIG_FILE === undefined ? {} : { TF_CLI_CONFIG_FILE }),
    },
    timeout_ms: 120_000,
  });
}

withTerraform(
  "what the real terraform says is read rightly: before init, after it, and without credentials",
  async () => {
    const { steps, stateDir } = await stage();
    const find = (why: string): Step => {
      const step = steps.find((step) => step.why.includes(why));
      assert(step, why);
      return step;
    };
    const ask = async (why: string): Promise<Answer> => {
      const { doneWhen } = find(why);
      assert(doneWhen);
      return doneWhen.read(await alone(doneWhen.ask));
    };
    const act = async (why: string): Promise<void> => {
      const { run } = find(why);
      assert(!("copy" in run));
      const { code, stdout, stderr } = await alone(run);
      assertEquals(code, 0, `${why}: ${stdout}${stderr}`);
    };
    assertEquals(await ask("terraform makes"), { is: "present" });
    assertEquals(await ask("A folder that nobody"), { is: "absent" });
    await act("A folder that nobody");
    assertEquals((await ask("A folder that nobody")).is, "present");
    await act("whoever has this key");
    assertEquals((await ask("whoever has this key")).is, "present");
    await act("variables.tf asks for");
    assertEquals(await ask("terraform fetches"), { is: "absent" });
    assertEquals(await ask("A network with 3 machines"), { is: "absent" });
    await act("terraform fetches");
    assertEquals(await ask("terraform fetches"), { is: "present" });
    const plan = await ask("A network with 3 machines");
    assert(plan.is === "unknown", plan.is);
    assertStringIncludes(plan.reason, "AWS wants credentials");
    for (
      const [path, mode] of [
        ["terraform", 0o700],
        ["ssh/id_ed25519", 0o600],
        ["terraform/cluster.tfvars.json", 0o600],
      ] as const
    ) {
      const { mode: found } = await Deno.stat(`${stateDir}/${path}`);
      assertEquals((found ?? 0) & 0o777, mode, path);
    }
  },
);
