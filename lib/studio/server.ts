/** The studio's HTTP server: who may ask, what for, and the answers' headers. */
import { type Access, cookieLine } from "./access.ts";
import type { Asset } from "./assets.ts";

/** A request that may be answered. */
export interface PageRequest {
  readonly request: Request;
  readonly query: URLSearchParams;
  /** Of a POST: the JSON that it brought. */
  readonly body: unknown;
}

/** What is answered, by "GET /path" and "POST /path". */
export type PageRoutes = Readonly<
  Record<string, (asked: PageRequest) => Promise<Response> | Response>
>;

/** A request that cannot be met: its message is for the page's user. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";

  /** @param status of HTTP */
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/**
 * Nothing from elsewhere, no script but the page's own file, and that none can
 * be made of text (Content Security Policy 3; Trusted Types). The terminals
 * write style elements of their own.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types picture",
].join("; ");

const headers = {
  "content-security-policy": policy,
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** More than any request of the page is long. */
const longestBody = 10_000;

/**
 * Prepares the server's answers.
 *
 * @param assets the page's files, by their path
 */
export function handlerOf(
  access: Access,
  assets: ReadonlyMap<string, Asset>,
  routes: PageRoutes,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const admission = access.admit(request);
    const url = new URL(request.url);
    if (admission.is === "refused") {
      return plain(admission.status, admission.why);
    }
    if (admission.is === "welcome") {
      return welcome(cookieLine(admission.cookie, url));
    }
    const { pathname, searchParams: query } = url;
    const route = routes[`${request.method} ${pathname}`];
    try {
      if (route !== undefined) {
        const body = request.method === "POST"
          ? await readBody(request)
          : undefined;
        return await route({ request, query, body });
      }
      const asset = assets.get(pathname);
      if (asset === undefined) return plain(404, `no ${pathname} here`);
      if (request.method !== "GET") return plain(405, "only GET");
      const { type, bytes } = asset;
      return new Response(bytes, {
        headers: {
          ...headers,
          "content-type": type,
          "content-encoding": "gzip",
        },
      });
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      return plain(error.status, error.message);
    }
  };
}

function plain(status: number, text: string): Response {
  const type = { "content-type": "text/plain; charset=utf-8" };
  return new Response(`${text}\n`, {
    status,
    headers: { ...headers, ...type },
  });
}

/** An answer in JSON. */
export function json(value: unknown): Response {
  const type = { "content-type": "application/json" };
  return new Response(JSON.stringify(value), {
    headers: { ...headers, ...type },
  });
}

/**
 * Gives the cookie, and has the page itself go on: of a redirect the browser
 * would still say that it began elsewhere, and send no SameSite=Strict cookie.
 */
function welcome(cookie: string): Response {
  const html = '<!DOCTYPE html><html lang="en"><title>deno-cni</title>' +
    '<meta http-equiv="refresh" content="0; url=/">' +
    '<p><a href="/">The studio</a></p></html>\n';
  return new Response(html, {
    headers: {
      ...headers,
      "content-type": "text/html; charset=utf-8",
      "set-cookie": cookie,
    },
  });
}

/** @throws {RefusedError} */
async function readBody(request: Request): Promise<unknown> {
  // A form of another page can be posted with other types alone (Fetch, "CORS-safelisted").
  if (request.headers.get("content-type") !== "application/json") {
    throw new RefusedError(415, "expected the type application/json");
  }
  if (Number(request.headers.get("content-length") ?? "0") > longestBody) {
    throw new RefusedError(413, "that is too long");
  }
  try {
    return await request.json();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new RefusedError(400, "expected JSON");
  }
}
