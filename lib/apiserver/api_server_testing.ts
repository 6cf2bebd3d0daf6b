/** An API server of the tests' own, as far as Nodes go, that can misbehave. */

/** A Node object (core/v1), in what the tests give. */
export interface TestNode {
  readonly metadata: {
    readonly name: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly podCIDR?: string; readonly podCIDRs?: string[] };
  readonly status: {
    readonly addresses: readonly {
      readonly type: string;
      readonly address: string;
    }[];
    readonly conditions?: readonly Record<string, string>[];
    readonly images?: readonly unknown[];
  };
}

/** How the server treats requests from now on. */
export type Behaviour =
  | "well"
  /** Takes connections, and never answers. */
  | "silent"
  /** Answers a watch, and never sends anything by it. */
  | "half-open"
  /** Cuts each answer in the middle of a line, a byte at a time. */
  | "slow"
  /** Has forgotten all versions: 410 for every watch and page. */
  | "forgetful"
  | "broken"
  /** Says no to watches, as where the ClusterRole lacks the verb. */
  | "forbidden"
  /** Wants to be left alone for a second: 429. */
  | "busy"
  /** Something else answers: a page of HTML. */
  | "another's"
  /** Something else answers: JSON that is no list and no event. */
  | "no list"
  /** Each page leads to itself. */
  | "endless"
  /** Ends each watch after a bookmark. */
  | "hasty";

/** A request that the server got. */
interface Got {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | null;
  readonly body: string;
}

export interface TestApiServer extends AsyncDisposable {
  readonly url: string;
  readonly got: readonly Got[];
  put(node: TestNode): void;
  remove(name: string): void;
  bookmark(): void;
  /** Has forgotten all versions until now: a watch from one of them gets 410. */
  forget(): void;
  /** Ends all watches, in the middle of a line. */
  cut(): void;
  behave(how: Behaviour): void;
  /** Takes requests with this token alone from now on; undefined: all. */
  accept(token: string | undefined): void;
  /** How many watches are open. */
  watches(): number;
}

/** A Node of that name with one address and one podCIDR. */
export function testNode(
  name: string,
  address: string,
  ...podCIDRs: string[]
): TestNode {
  const [podCIDR] = podCIDRs;
  return {
    metadata: { name },
    spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs },
    status: { addresses: [{ type: "InternalIP", address }] },
  };
}

/** A Status object (meta/v1). */
function no(
  code: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const status = { kind: "Status", code, message };
  return Response.json(status, { status: code, headers: { ...headers } });
}

interface Watcher {
  send(text: string): void;
  end(): void;
}

const encoder = new TextEncoder();

/** Starts it on a port of its own. */
export function testApiServer(
  tls?: { readonly cert: string; readonly key: string },
): TestApiServer {
  const nodes = new Map<
    string,
    TestNode & { metadata: { resourceVersion: string } }
  >();
  const log: { version: number; line: string }[] = [];
  const got: Got[] = [];
  const watchers = new Set<Watcher>();
  let version = 100;
  let oldest = 0;
  let how: Behaviour = "well";
  let accepted: string | undefined;
  const stuck: (() => void)[] = [];

  const tell = (type: string, object: unknown) => {
    const line = JSON.stringify({ type, object }) + "\n";
    log.push({ version, line });
    for (const watcher of watchers) watcher.send(line);
  };
  const gone = () => no(410, "too old resource version");
  const list = (query: URLSearchParams) => {
    const limit = Number(query.get("limit") ?? 1e9);
    const from = Number(query.get("continue") ?? 0);
    const all = [...nodes.values()];
    const more = from + limit < all.length;
    return Response.json({
      kind: "NodeList",
      metadata: {
        resourceVersion: `${version}`,
        ...(more ? { continue: `${from + limit}` } : {}),
      },
      items: all.slice(from, from + limit),
    });
  };
  const watch = (query: URLSearchParams) => {
    const from = Number(query.get("resourceVersion"));
    let watcher: Watcher | undefined;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const halfOpen = how === "half-open";
        const slow = how === "slow";
        let last = Promise.resolve();
        const send = (text: string) => {
          const bytes = encoder.encode(text);
          const parts = slow
            ? [...bytes].map((byte) => Uint8Array.of(byte))
            : [bytes];
          last = last.then(async () => {
            for (const part of parts) {
              if (slow) await new Promise((go) => setTimeout(go, 0));
              try {
                controller.enqueue(part);
              } catch {
                return; // It is closed.
              }
            }
          });
        };
        watcher = {
          send: (text) => halfOpen ? undefined : send(text),
          end: () => {
            try {
              controller.enqueue(encoder.encode('{"type":"MODI'));
              controller.close();
            } catch {
              // The client has ended it.
            }
          },
        };
        watchers.add(watcher);
        // Headers go out with the first byte.
        controller.enqueue(encoder.encode("\n"));
        for (const { version, line } of log) {
          if (version > from) watcher.send(line);
        }
      },
      cancel() {
        if (watcher) watchers.delete(watcher);
      },
    });
    return new Response(body, {
      headers: { "content-type": "application/json" },
    });
  };
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    ...tls,
  }, async (request) => {
    const { pathname: path, searchParams: query } = new URL(request.url);
    const { method } = request;
    const authorization = request.headers.get("authorization");
    got.push({
      method,
      path,
      query,
      authorization,
      body: await request.text(),
    });
    if (how === "silent") {
      await new Promise<void>((resolve) => stuck.push(resolve));
    }
    if (accepted !== undefined && authorization !== `Bearer ${accepted}`) {
      return no(401, "Unauthorized");
    }
    const isWatch = query.get("watch") === "true";
    if (isWatch && Number(query.get("resourceVersion")) < oldest) return gone();
    if (how === "broken") return new Response("it is broken", { status: 500 });
    if (how === "busy") {
      return no(429, "too many requests", { "retry-after": "1" });
    }
    if (how === "another's") return new Response("<html>Sign in</html>");
    if (how === "no list") {
      const headers = { "content-type": "application/json" };
      return new Response('{"ok":true}\n', { headers });
    }
    if (method !== "GET") return Response.json({ kind: "Status" });
    if (path !== "/api/v1/nodes") return new Response("", { status: 404 });
    if (how === "forgetful" && (isWatch || query.has("continue"))) {
      return gone();
    }
    if (how === "forbidden" && isWatch) {
      return no(403, 'nodes is forbidden: User "one" cannot watch resource');
    }
    if (how === "endless" && !isWatch) {
      const metadata = { resourceVersion: "1", continue: "again" };
      return Response.json({ metadata, items: [] });
    }
    if (how === "hasty" && isWatch) {
      const metadata = { resourceVersion: `${version}` };
      const object = { metadata };
      return Response.json({ type: "BOOKMARK", object });
    }
    return isWatch ? watch(query) : list(query);
  });
  const { port } = server.addr;
  return {
    url: `http${tls === undefined ? "" : "s"}://127.0.0.1:${port}`,
    got,
    put(node) {
      version++;
      const { name } = node.metadata;
      const type = nodes.has(name) ? "MODIFIED" : "ADDED";
      const object = {
        ...node,
        metadata: { ...node.metadata, resourceVersion: `${version}` },
      };
      nodes.set(name, object);
      tell(type, object);
    },
    remove(name) {
      version++;
      nodes.delete(name);
      tell("DELETED", { metadata: { name, resourceVersion: `${version}` } });
    },
    bookmark() {
      version++;
      tell("BOOKMARK", { metadata: { resourceVersion: `${version}` } });
    },
    forget: () => void (oldest = ++version),
    cut() {
      for (const watcher of watchers) watcher.end();
      watchers.clear();
    },
    accept: (token) => void (accepted = token),
    behave(next) {
      how = next;
      stuck.splice(0).forEach((go) => go());
    },
    watches: () => watchers.size,
    async [Symbol.asyncDispose]() {
      stuck.splice(0).forEach((go) => go());
      this.cut();
      await server.shutdown();
    },
  };
}
