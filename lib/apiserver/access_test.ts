// @ts-types="../std/assert.d.ts"
import { assertEquals, assertRejects } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import { kubeconfigAccess, podAccess } from "./access.ts";
import { testApiServer, testNode } from "./api_server_testing.ts";
import { apiClient, ApiUnreachableError } from "./client.ts";

async function inFolder(
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const { signal } = new AbortController();

/** An authority's certificate as ca.crt, and of its making one for 127.0.0.1 with its key. */
async function certificate(
  folder: string,
): Promise<{ cert: string; key: string }> {
  const own = (name: string) => [
    ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-days", "1", "-subj", `/CN=${name}`],
    ...["-keyout", `${folder}/${name}.key`, "-out", `${folder}/${name}.crt`],
  ];
  const by = ["-CA", `${folder}/ca.crt`, "-CAkey", `${folder}/ca.key`];
  const server = [
    ...["-addext", "subjectAltName=IP:127.0.0.1"],
    ...["-addext", "basicConstraints=critical,CA:FALSE"],
  ];
  for (const more of [own("ca"), [...own("server"), ...by, ...server]]) {
    const outcome = await run(cmd`openssl req -x509 ${more}`);
    assertEquals(outcome.code, 0, outcome.stderr);
  }
  const [cert = "", key = ""] = await Promise.all(
    ["crt", "key"].map((end) => Deno.readTextFile(`${folder}/server.${end}`)),
  );
  return { cert, key };
}

const hasOpenssl = (await run(cmd`openssl version`)).code === 0;

Deno.test({
  name:
    `a pod's client trusts its authority alone, and shows the token that is there now${
      hasOpenssl ? "" : " (needs openssl)"
    }`,
  ignore: !hasOpenssl,
  fn: () =>
    inFolder(async (folder) => {
      const tls = await certificate(folder);
      await using api = testApiServer(tls);
      api.put(testNode("one", "10.0.1.1", "10.244.1.0/24"));
      const { hostname, port } = new URL(api.url);
      const environment = {
        KUBERNETES_SERVICE_HOST: hostname,
        KUBERNETES_SERVICE_PORT: port,
      };
      const access = await podAccess(environment, folder);
      using client = apiClient(access);
      for (const token of ["first", "rotated"]) {
        await Deno.writeTextFile(`${folder}/token`, `${token}\n`);
        await client.json("/api/v1/nodes", { signal });
        assertEquals(api.got.at(-1)?.authorization, `Bearer ${token}`);
      }
      using stranger = apiClient({ server: api.url });
      await assertRejects(
        () => stranger.json("/api/v1/nodes", { signal }),
        ApiUnreachableError,
        "ertificate",
      );
    }),
});

const kubeconfig = (user: string) => `
apiVersion: v1
kind: Config
current-context: mine
contexts:
- {name: other, context: {cluster: other, user: other}}
- {name: mine, context: {cluster: here, user: me}}
clusters:
- {name: other, cluster: {server: "https://192.0.2.1"}}
- name: here
  cluster: {server: "https://192.0.2.2:6443/", certificate-authority-data: ${
  btoa("CA")
}}
users:
- {name: other, user: {}}
- {name: me, user: ${user}}
`;

Deno.test("a kubeconfig's current context is what counts, its files lie beside it", () =>
  inFolder(async (folder) => {
    const path = `${folder}/kubeconfig`;
    const user = `{client-certificate: client.crt, client-key-data: ${
      btoa("KEY")
    }}`;
    await Deno.writeTextFile(path, kubeconfig(user));
    await Deno.writeTextFile(`${folder}/client.crt`, "CERT");
    assertEquals(await kubeconfigAccess(path), {
      server: "https://192.0.2.2:6443",
      authority: "CA",
      certificate: { cert: "CERT", key: "KEY" },
    });
    await Deno.writeTextFile(path, kubeconfig("{token: secret}"));
    assertEquals(await (await kubeconfigAccess(path)).token?.(), "secret");
    await Deno.writeTextFile(path, kubeconfig("{tokenFile: token}"));
    await Deno.writeTextFile(`${folder}/token`, "read\n");
    assertEquals(await (await kubeconfigAccess(path)).token?.(), "read");
  }));

Deno.test("what cannot open the API server says what was expected", () =>
  inFolder(async (folder) => {
    const path = `${folder}/kubeconfig`;
    await assertRejects(() => podAccess({}), Error, "this is no pod");
    await assertRejects(() => kubeconfigAccess(path), Error, "cannot be read");
    await Deno.writeTextFile(path, kubeconfig("{exec: {command: aws}}"));
    await assertRejects(
      () => kubeconfigAccess(path),
      Error,
      "users[].user.exec is not understood; expected a token",
    );
    await Deno.writeTextFile(path, "current-context: none\n");
    await assertRejects(
      () => kubeconfigAccess(path),
      Error,
      "clusters[].cluster.server",
    );
  }));
