/** The shell files beside this one, with tools that say what a test wants them to say. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, type Command, type Outcome } from "../exec/command.ts";
import { run } from "../exec/run.ts";

const here = import.meta.dirname ?? "";

/** Runs the body in a folder of its own, where `tool` makes a program that a script then finds. */
async function inFolder(
  body: (
    folder: string,
    tool: (name: string, script: string) => Promise<void>,
    call: (command: Command) => Promise<Outcome>,
  ) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/bin`);
    await body(
      folder,
      async (name, script) => {
        await Deno.writeTextFile(
          `${folder}/bin/${name}`,
          `#!/bin/sh\n${script}\n`,
        );
        await Deno.chmod(`${folder}/bin/${name}`, 0o755);
      },
      (command) =>
        run(command, {
          env: { PATH: `${folder}/bin:/usr/bin:/bin`, FOLDER: folder },
        }),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the operator's address is written for terraform or for gcloud, and asked again each time", () =>
  inFolder(async (folder, tool, call) => {
    await tool("curl", "echo 198.51.100.7");
    const ask = async (file: string) =>
      (await call(cmd`sh ${here}/operator_address.sh ask ${file}`)).stdout
        .trim();
    for (
      const [name, content] of [
        ["a.tfvars.json", '{"ssh_from":["198.51.100.7/32"]}\n'],
        ["a.yaml", "--source-ranges: 198.51.100.7/32\n"],
      ] as const
    ) {
      const file = `${folder}/new/${name}`;
      assertEquals(await ask(file), "other");
      assertEquals(
        (await call(cmd`sh ${here}/operator_address.sh write ${file}`)).code,
        0,
      );
      assertEquals(await Deno.readTextFile(file), content);
      assertEquals(await ask(file), "same");
      const { mode } = await Deno.stat(file);
      assertEquals((mode ?? 0) & 0o777, 0o600);
    }
    await tool("curl", "echo 198.51.100.8");
    assertEquals(await ask(`${folder}/new/a.yaml`), "other");
  }));

Deno.test("what is no address, and a site that does not answer, are told with the way out", () =>
  inFolder(async (folder, tool, call) => {
    const write = () =>
      call(cmd`sh ${here}/operator_address.sh write ${folder}/a.yaml`);
    for (
      const [script, said] of [
        ["echo '<html>'", "says <html>, which is no address"],
        ["echo 198.51.100", "says nothing that is an address"],
        ["echo 1.2.3.4.5", "which is no address"],
        ["echo '1.2.3.4/0'", "which is no address"],
        ["echo", "says nothing that is an address"],
        [
          "echo 'curl: (6) no such host' >&2; exit 6",
          "does not tell your own address",
        ],
      ] as const
    ) {
      await tool("curl", script);
      const { code, stderr } = await write();
      assertEquals(code, 1, script);
      assertStringIncludes(stderr, said);
      assertStringIncludes(stderr, "the key sshFrom of the cluster file");
    }
    assertEquals(Array.from(Deno.readDirSync(folder), ({ name }) => name), [
      "bin",
    ]);
  }));

Deno.test("what is gone already is taken away; another failure is one, with all that was said", () =>
  inFolder(async (_folder, tool, call) => {
    const take = () =>
      call(cmd`sh ${here}/delete_if_present.sh .NotFound tool a ${"b c"}`);
    await tool("tool", 'echo "$#"');
    assertEquals((await take()).code, 0);
    await tool(
      "tool",
      "echo 'An error occurred (InvalidRoute.NotFound)' >&2; exit 254",
    );
    assertEquals((await take()).code, 0);
    await tool("tool", "echo 'UnauthorizedOperation' >&2; exit 254");
    const { code, stderr } = await take();
    assertEquals([code, stderr], [254, "UnauthorizedOperation\n"]);
    await tool("tool", '[ "$2" = "b c" ] || exit 9');
    assertEquals((await take()).code, 0, "an argument was split");
  }));

Deno.test("a route that exists is replaced, and another failure is none of that", () =>
  inFolder(async (folder, tool, call) => {
    const make = () =>
      call(cmd`sh ${here}/aws_create_route.sh --route-table-id rtb-1`);
    const log = `echo "$*" >>"$FOLDER/log"`;
    const calls = async () => {
      const text = await Deno.readTextFile(`${folder}/log`);
      await Deno.remove(`${folder}/log`);
      return text.trim().split("\n");
    };
    await tool("aws", log);
    assertEquals((await make()).code, 0);
    assertEquals(await calls(), ["ec2 create-route --route-table-id rtb-1"]);
    await tool(
      "aws",
      `${log}; case $2 in create-route) echo '(RouteAlreadyExists)' >&2; exit 254;; esac`,
    );
    assertEquals((await make()).code, 0);
    assertEquals(await calls(), [
      "ec2 create-route --route-table-id rtb-1",
      "ec2 replace-route --route-table-id rtb-1",
    ]);
    await tool("aws", `${log}; echo RouteLimitExceeded >&2; exit 254`);
    const { code, stderr } = await make();
    assertEquals([code, stderr], [1, "RouteLimitExceeded\n"]);
    assertEquals((await calls()).length, 1);
  }));

Deno.test("the limits are asked first, and a question that fails is no limit", () =>
  inFolder(async (_folder, tool, call) => {
    const aws = () =>
      call(cmd`sh ${here}/aws_route_quota.sh eu-central-1 rtb-1 L-1`);
    await tool(
      "aws",
      "case $1 in service-quotas) echo 50.0;; *) echo '{}';; esac",
    );
    assertEquals((await aws()).stdout, "50.0\n{}\n");
    await tool("aws", "echo AccessDenied >&2; exit 254");
    assertEquals((await aws()).code, 254);
    const gcp = () => call(cmd`sh ${here}/gcp_route_quota.sh ${"deno-cni x"}`);
    await tool(
      "gcloud",
      "case $2 in routes) printf 'a\\nb\\n';; *) printf 'NETWORKS,5.0,1.0\\nROUTES,250.0,7.0\\n';; esac",
    );
    assertEquals((await gcp()).stdout, "250.0,7.0,2\n");
    await tool(
      "gcloud",
      "case $2 in routes) ;; *) echo NETWORKS,5.0,1.0;; esac",
    );
    assertEquals((await gcp()).stdout, ",,0\n");
    await tool("gcloud", "case $2 in routes) echo no >&2; exit 1;; esac");
    assertEquals((await gcp()).code, 1);
  }));
