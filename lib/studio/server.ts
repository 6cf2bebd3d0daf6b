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

/** More bytes than any request of the page brings. */
const longestBody = 10_000;

/** More than any address is long that the page asks. */
const longestAddress = 4_000;

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
    // Before anything of it is looked at: it may come from anyone.
    if (request.url.length > longestAddress) {
      return plain(414, "that address is too long");
    }
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
  const text = await readText(request);
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new RefusedError(400, "expected JSON");
  }
}

/**
 * The body's text: what it says of its own length may be missing (RFC 9112,
 * 7.1, "Chunked Transfer Coding") and is not asked.
 *
 * @throws {RefusedError} as soon as it is longer than a body may be
 */
async function readText(request: Request): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const bytes of request.body ?? []) {
    length += bytes.length;
    if (length > longestBody) {
      throw new RefusedError(413, `expected ${longestBody} bytes at most`);
    }
    text += decoder.decode(bytes, { stream: true });
  }
  return text + decoder.decode();
}
