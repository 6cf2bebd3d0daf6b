/**
 * A page that shows a cluster while stages run: a server on loopback that sends
 * it, and then what changes, as events (HTML, "Server-sent events").
 */

/** How a cell of the page looks, besides what it says. */
export type CellTone = "good" | "bad" | "quiet";

/** A row of a table of the page. */
export interface PageRow {
  readonly label: string;
  readonly cells: readonly { readonly text: string; readonly tone: CellTone }[];
}

/** All that the page shows. */
export interface PageState {
  readonly cluster: string;
  /** SVG. */
  readonly picture: string;
  /** The columns of `stages`. */
  readonly nodes: readonly string[];
  readonly stages: readonly PageRow[];
  readonly matrix: {
    readonly columns: readonly string[];
    readonly rows: readonly PageRow[];
    readonly summary: string;
    /** What is wrong and why; empty where nothing is. */
    readonly causes: string;
  };
  /** One line: what was seen, or what is new. */
  readonly said: string;
  /** Why this is not all there is to see. */
  readonly problem?: string;
}

/** A page that is served. */
interface Watch {
  readonly handler: (request: Request) => Promise<Response> | Response;
  /** Ends the reading, and the events of all pages. */
  readonly end: () => void;
}

const page = new URL("./page.html", import.meta.url);

/**
 * Prepares the server's answers. The cluster is read while a page is open, and
 * only then.
 *
 * @param read what there is to see now; must not throw
 * @param pause_ms between the end of a reading and the next
 */
export async function watch(
  read: () => Promise<PageState>,
  pause_ms: number,
): Promise<Watch> {
  const html = await Deno.readTextFile(page);
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": await policy(html),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  };
  const readers = new Set<ReadableStreamDefaultController<Uint8Array>>();
  let last: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let reading = false;
  let ended = false;

  const round = async () => {
    reading = true;
    const now = JSON.stringify(await read());
    reading = false;
    if (ended || readers.size === 0) return;
    if (now !== last) readers.forEach((reader) => reader.enqueue(event(now)));
    last = now;
    timer = setTimeout(round, pause_ms);
  };

  const events = (): Response => {
    let own: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        own = controller;
        readers.add(controller);
        if (last !== undefined) controller.enqueue(event(last));
        if (reading) return;
        clearTimeout(timer);
        round();
      },
      cancel() {
        if (own !== undefined) readers.delete(own);
        if (readers.size === 0) clearTimeout(timer);
      },
    });
    const type = { "content-type": "text/event-stream" };
    return new Response(body, { headers: { ...headers, ...type } });
  };

  return {
    handler: (request) => {
      const { pathname, hostname } = new URL(request.url);
      // Another site's name that resolves to this machine must not read the page.
      if (hostname !== "127.0.0.1" && hostname !== "localhost") {
        return answer(403, "this page is for this machine");
      }
      if (request.method !== "GET") return answer(405, "only GET");
      if (pathname === "/") return new Response(html, { headers });
      if (pathname === "/events") return events();
      return answer(404, `no ${pathname} here`);
    },
    end: () => {
      ended = true;
      clearTimeout(timer);
      for (const reader of readers) reader.close();
      readers.clear();
    },
  };
}

function answer(status: number, text: string): Response {
  return new Response(`${text}\n`, { status });
}

function event(data: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`event: state\ndata: ${data}\n\n`);
}

/** Nothing from elsewhere, no script but the page's own (Content Security Policy 3, 2.3.1). */
async function policy(html: string): Promise<string> {
  const [, script = ""] = /<script>([\s\S]*)<\/script>/.exec(html) ?? [];
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(script),
  );
  const hash = btoa(String.fromCharCode(...new Uint8Array(digest)));
  return `default-src 'none'; connect-src 'self'; script-src 'sha256-${hash}'; ` +
    "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";
}
