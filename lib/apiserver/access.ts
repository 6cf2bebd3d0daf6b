/**
 * Where Kubernetes' API server is, and what opens it: the service account that
 * a pod is given, or a kubeconfig.
 */
import { readYaml } from "../cluster/yaml.ts";

/** An API server, and what a client shows it. */
export interface ApiAccess {
  /** Its address, e.g. https://10.96.0.1:443. */
  readonly server: string;
  /** The certificates that it is known by, as PEM; left out, those of the system. */
  readonly authority?: string;
  /** Asked at every request, for a service account's token is renewed within the hour. */
  readonly token?: () => Promise<string>;
  /** The client's own certificate and its key, as PEM. */
  readonly certificate?: { readonly cert: string; readonly key: string };
}

/** What opens the API server cannot be had, or cannot be used; the message says what to do. */
export class AccessError extends Error {
  override readonly name = "AccessError";
}

/** The folder in which a pod finds its service account. */
const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * What a pod is given: the address by its environment, token and authority by
 * files ("Accessing the Kubernetes API from a Pod").
 *
 * @throws {AccessError} outside of a pod
 */
export async function podAccess(
  environment: Readonly<Record<string, string>>,
  folder = accountFolder,
): Promise<ApiAccess> {
  const host = environment.KUBERNETES_SERVICE_HOST;
  const port = environment.KUBERNETES_SERVICE_PORT ?? "443";
  if (!host) {
    throw new AccessError(
      "there is no KUBERNETES_SERVICE_HOST, so this is no pod; " +
        "outside of one, name a kubeconfig: --kubeconfig /etc/kubernetes/kubelet.conf",
    );
  }
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    authority: await readText(`${folder}/ca.crt`),
    token: async () => (await readText(`${folder}/token`)).trim(),
  };
}

/**
 * What a kubeconfig's current context says (client-go's v1.Config).
 *
 * @throws {AccessError} naming the file, the key and what was expected
 * @throws {ClusterFileError} where it is no YAML
 */
export async function kubeconfigAccess(path: string): Promise<ApiAccess> {
  const text = await readText(path);
  const config = object(readYaml(text, path).value);
  const wrong = (what: string) => new AccessError(`${path}: ${what}`);
  const context = entry(config, "contexts", config["current-context"]).context;
  const { cluster: clusterName, user: userName } = object(context);
  const cluster = object(entry(config, "clusters", clusterName).cluster);
  const user = object(entry(config, "users", userName).user);
  if (typeof cluster.server !== "string") {
    throw wrong(
      "clusters[].cluster.server: expected the API server's address in the " +
        "cluster that current-context names",
    );
  }
  for (const key of ["exec", "auth-provider", "username"]) {
    if (user[key] === undefined) continue;
    throw wrong(
      `users[].user.${key} is not understood; expected a token or a client certificate`,
    );
  }
  const folder = path.replace(/[^/]*$/, "");
  const given = (of: Record<string, unknown>, key: string) =>
    valueOf(of, key, folder);
  const authority = await given(cluster, "certificate-authority");
  const cert = await given(user, "client-certificate");
  const key = await given(user, "client-key");
  const { token, tokenFile } = user;
  return {
    server: cluster.server.replace(/\/$/, ""),
    ...(authority === undefined ? {} : { authority }),
    ...(cert === undefined || key === undefined
      ? {}
      : { certificate: { cert, key } }),
    ...(typeof tokenFile === "string"
      ? {
        token: async () => (await readText(within(folder, tokenFile))).trim(),
      }
      : typeof token === "string"
      ? { token: () => Promise.resolve(token) }
      : {}),
  };
}

/** What a key holds: the text in base64 under NAME-data, or the name of a file. */
async function valueOf(
  of: Record<string, unknown>,
  key: string,
  folder: string,
): Promise<string | undefined> {
  const data = of[`${key}-data`];
  if (typeof data === "string") return atob(data.replaceAll(/\s/g, ""));
  const file = of[key];
  return typeof file === "string"
    ? await readText(within(folder, file))
    : undefined;
}

function within(folder: string, file: string): string {
  return file.startsWith("/") ? file : folder + file;
}

/** The element of that name in one of a kubeconfig's lists. */
function entry(
  config: Record<string, unknown>,
  list: string,
  name: unknown,
): Record<string, unknown> {
  const all = config[list];
  const found = Array.isArray(all)
    ? all.map(object).find((one) => one.name === name)
    : undefined;
  return found ?? {};
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : {};
}

/** @throws {AccessError} */
async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new AccessError(`${path} cannot be read: ${error.message}`);
  }
}
