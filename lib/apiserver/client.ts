/** Requests to Kubernetes' API server, each with a time limit. */
import type { ApiAccess } from "./access.ts";
import { withLimit } from "./with_limit.ts";

/** How to ask. */
interface RequestOptions {
  readonly method?: "GET" | "PATCH" | "POST";
  readonly body?: unknown;
  /** Of the body; JSON where left out. */
  readonly contentType?: string;
  readonly signal: AbortSignal;
}

/** A client of one API server. */
export interface ApiClient extends Disposable {
  /** The server's address. */
  readonly server: string;
  /** How many requests were sent. */
  readonly requests: () => number;
  /**
   * Asks, and hands on the answer as it begins.
   *
   * @param path with its query, from /api on
   * @throws {ApiError} where the server says no
   * @throws {ApiUnreachableError} where no answer begins in time
   */
  open(path: string, options: RequestOptions): Promise<Response>;
  /**
   * Asks, and reads the whole answer.
   *
   * @throws as open()
   */
  json(path: string, options: RequestOptions): Promise<unknown>;
}

/** The API server says no. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  /**
   * @param code HTTP's status, e.g. 410 for a resourceVersion that is too old
   * @param after_ms how long the server wants to be left alone (Retry-After)
   */
  constructor(
    readonly code: number,
    message: string,
    readonly after_ms = 0,
  ) {
    super(message);
  }
}

/** No answer of the API server's. */
export class ApiUnreachableError extends Error {
  override readonly name: string = "ApiUnreachableError";
}

/** An answer that no API server gives: something else answers in its place. */
export class NoApiServerError extends ApiUnreachableError {
  override readonly name = "NoApiServerError";
}

/** How long to wait. */
export interface Limits {
  /** Until an answer begins. */
  readonly answer_ms: number;
  /** Until more of an answer comes; a connection that is dead at its other end is silent. */
  readonly silence_ms: number;
}

/** An API server writes a bookmark into every watch about once a minute. */
export const usualLimits: Limits = { answer_ms: 15_000, silence_ms: 150_000 };

/** A client of the API server; nothing is sent yet. */
export function apiClient(
  access: ApiAccess,
  { answer_ms }: Pick<Limits, "answer_ms"> = usualLimits,
): ApiClient {
  const { server, authority, token, certificate } = access;
  const http = Deno.createHttpClient({
    ...(authority === undefined ? {} : { caCerts: [authority] }),
    ...(certificate ?? {}),
    // One watch and now and then a request beside it.
    poolMaxIdlePerHost: 1,
    poolIdleTimeout: 30_000,
  });
  let requests = 0;
  const open = async (
    path: string,
    { method = "GET", body, contentType, signal }: RequestOptions,
  ) => {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), answer_ms);
    requests++;
    try {
      const bearer = await token?.();
      const response = await fetch(`${server}${path}`, {
        client: http,
        method,
        signal: AbortSignal.any([signal, late.signal]),
        headers: {
          accept: "application/json",
          ...(bearer === undefined
            ? {}
            : { authorization: `Bearer ${bearer}` }),
          ...(body === undefined
            ? {}
            : { "content-type": contentType ?? "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const type = response.headers.get("content-type") ?? "nothing";
      if (response.ok && type.includes("json")) return response;
      if (response.ok) {
        await response.body?.cancel().catch(() => {});
        throw new NoApiServerError(
          `${server}: the answer is ${type}, expected application/json: something ` +
            "else answers in the API server's place",
        );
      }
      const text = await response.text().catch(() => "");
      throw refusal(response, method, path, text);
    } catch (error) {
      throw asOurs(error, server, late.signal.aborted ? answer_ms : undefined);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    server,
    requests: () => requests,
    open,
    json: async (path, options) =>
      await wholeAnswer(await open(path, options), server, 2 * answer_ms),
    [Symbol.dispose]: () => http.close(),
  };
}

/** @throws {ApiUnreachableError} where it does not come to its end in time */
async function wholeAnswer(
  response: Response,
  server: string,
  limit_ms: number,
): Promise<unknown> {
  const late = () =>
    new ApiUnreachableError(
      `${server}: the answer is not complete after ${limit_ms / 1000} s`,
    );
  try {
    return await withLimit(response.json(), limit_ms, late);
  } catch (error) {
    await response.body?.cancel().catch(() => {});
    throw asOurs(error, server, undefined);
  }
}

/** What the server says, by its Status object (meta/v1) where it sent one. */
function refusal(
  { status, headers }: Response,
  method: string,
  path: string,
  text: string,
): ApiError {
  let message = text.trim().slice(0, 400);
  try {
    message = String(JSON.parse(text).message ?? message);
  } catch (error) {
    const isOther = error instanceof SyntaxError || error instanceof TypeError;
    if (!isOther) throw error;
  }
  const advice = adviceOn(status, method, path);
  const seconds = Number(headers.get("retry-after") ?? 0);
  return new ApiError(
    status,
    `${method} ${path.split("?")[0]}: ${status}: ${message}${advice}`,
    Number.isFinite(seconds) ? Math.min(longestAfter_ms, seconds * 1000) : 0,
  );
}

/** A server that wants to be left alone for longer is asked again after this. */
const longestAfter_ms = 300_000;

/** What to do about it, where that is for this client's owner. */
function adviceOn(status: number, method: string, path: string): string {
  if (status === 401) {
    return "; the token is none that the server takes: it is read again at each request, " +
      "so look at the service account's token, or at the kubeconfig";
  }
  if (status !== 403) return "";
  const url = new URL(path, "http://server");
  const verb = method !== "GET"
    ? { PATCH: "patch", POST: "create" }[method]
    : url.searchParams.get("watch") === "true"
    ? "watch"
    : "list";
  const resource = /\/nodes\/[^/]+\/status$/.test(url.pathname)
    ? "nodes/status"
    : /\/events/.test(url.pathname)
    ? "events"
    : url.pathname.replace(/^.*\//, "");
  return `; expected the ClusterRole to allow ${verb} of ${resource}`;
}

/** @param late_ms the time that was over, where that ended it */
function asOurs(
  error: unknown,
  server: string,
  late_ms: number | undefined,
): unknown {
  if (late_ms !== undefined) {
    return new ApiUnreachableError(
      `${server}: no answer within ${late_ms / 1000} s`,
    );
  }
  // fetch() throws a TypeError for what the connection says, a body an Error of the system.
  const connection = error instanceof TypeError ||
    error instanceof SyntaxError ||
    (error instanceof Error && error.name === "Http");
  return connection
    ? new ApiUnreachableError(`${server}: ${reasonsOf(error)}`)
    : error;
}

/** What an error says, and what its causes say: fetch() itself says that it failed. */
function reasonsOf({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}: ${reasonsOf(cause)}` : message;
}
