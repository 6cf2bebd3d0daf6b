/**
 * A cloud for tests: its tools are stood in for by clouds_driver_testing.ts, and
 * its machines are a lab's nodes, with a real sshd each. Stages 01 to 08 run as
 * an operator runs them, from a host beside the nodes.
 */
import { type Cluster } from "../../lib/cluster/cluster.ts";
import { cmd, type Outcome, succeeded } from "../../lib/exec/command.ts";
import { restartSshd, startSshLab } from "../../lib/ssh/sshd_testing.ts";
import { scriptCommand, testLab } from "./lab_testing.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";

/** What no output, file or command line may hold. */
export const secret = "S3cr3t-of-the-operator";

/** A cloud while a test has it. */
export interface TestCloud {
  /** The cluster file; a test may write another. */
  readonly file: string;
  /** The state folder of the cluster. */
  readonly stateDir: string;
  /** Where the tools' stand-in keeps what it knows; see clouds_driver_testing.ts. */
  readonly fake: string;
  /** Runs scripts/NAME.ts; without a terminal. */
  script(name: string, ...args: string[]): Promise<Outcome>;
  /** The tools' calls since the last time that this was asked, `terraform apply …` */
  calls(): Promise<readonly string[]>;
  /** All that was printed so far. */
  printed(): string;
}

/** Gives the body a cloud with three machines to be had; all is gone afterwards. */
export async function withCloud(
  cloud: "aws" | "gcp",
  body: (cloud: TestCloud) => Promise<void>,
): Promise<void> {
  await using lab = await testLab(`test-${cloud}`);
  must(await lab.script("01-provision"));
  const folder = lab.file.slice(0, lab.file.lastIndexOf("/"));
  const ssh = await startSshLab(lab.cluster, folder);
  const fake = `${folder}/fake`;
  await makeTools(fake);
  const addresses = Object.fromEntries(
    lab.cluster.nodes.map(({ name, address }) => [name, address]),
  );
  await Deno.writeTextFile(`${fake}/addresses`, JSON.stringify(addresses));
  await Promise.all(lab.cluster.nodes.map(({ name }) =>
    restartSshd(
      lab.cluster,
      name,
      `AuthorizedKeysFile ${fake}/authorized_keys`,
    )
  ));
  const file = `${folder}/${cloud}.yaml`;
  await Deno.writeTextFile(file, await clusterFile(cloud, lab.cluster));
  const state = `${folder}/cloud-state`;
  const env = {
    ...ssh.env,
    PATH: `${fake}/bin:${ssh.env.PATH}`,
    DENO_CNI_STATE: state,
    FAKE_CLOUD: fake,
    AWS_SECRET_ACCESS_KEY: secret,
    CLOUDSDK_AUTH_ACCESS_TOKEN: secret,
  };
  const assignments = Object.entries(env).map(([name, value]) =>
    `${name}=${value}`
  );
  let printed = "";
  let told = 0;
  await body({
    file,
    stateDir: `${state}/${cloud}`,
    fake,
    async script(name, ...args) {
      const { argv } = scriptCommand(name, file, ...args);
      const outcome = await ssh.client(
        cmd`env ${assignments} ${argv}`,
        120_000,
      );
      printed += outcome.stdout + outcome.stderr;
      return outcome;
    },
    async calls() {
      const text = await Deno.readTextFile(`${fake}/calls`).catch(() => "");
      const lines = text.trim().split("\n").filter((line) => line !== "");
      const fresh = lines.slice(told);
      told = lines.length;
      return fresh.map((line) => (JSON.parse(line) as string[]).join(" "));
    },
    printed: () => printed,
  });
}

/** The tools, as programs that call their stand-in. */
async function makeTools(fake: string): Promise<void> {
  await Deno.mkdir(`${fake}/bin`, { recursive: true });
  const driver = `${projectRoot}/scripts/tests/clouds_driver_testing.ts`;
  for (const tool of ["terraform", "aws", "gcloud", "curl"]) {
    const path = `${fake}/bin/${tool}`;
    await Deno.writeTextFile(
      path,
      `#!/bin/sh\nexec ${Deno.execPath()} run --quiet -A --no-check ${driver} ${tool} "$@"\n`,
    );
    await Deno.chmod(path, 0o755);
  }
}

/** The cloud's own cluster file, but for who logs in, and the podCIDRs that stage 02 would find. */
async function clusterFile(
  cloud: "aws" | "gcp",
  { nodes }: Cluster,
): Promise<string> {
  const text = await Deno.readTextFile(`${projectRoot}/config/${cloud}.yaml`);
  return nodes.reduce(
    (text, { address }, at) =>
      text.replace(
        `address: ${address}\n`,
        `address: ${address}\n    podCIDRs: 10.244.${at}.0/24\n`,
      ),
    `${text}\nssh: { user: root }\n`,
  );
}

function must(outcome: Outcome): void {
  if (!succeeded(outcome)) throw new Error(outcome.stderr + outcome.stdout);
}
