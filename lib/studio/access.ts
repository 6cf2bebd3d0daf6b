/**
 * Who may ask the studio's server for anything: the browser that was given the
 * secret, on a page that this server sent.
 *
 * The page can run commands on every node, so a program or a page that only
 * reaches the port must get nothing. What is looked at:
 * - Host: a name of another site that was made to mean this machine is refused
 *   (DNS rebinding).
 * - Origin and Sec-Fetch-Site (Fetch, "Origin header"; Fetch Metadata): a page
 *   from elsewhere may neither post nor open a WebSocket, whose handshake is
 *   not kept to one origin by browsers.
 * - the cookie: SameSite=Strict and HttpOnly (RFC 6265bis, 5.4.7), of 256
 *   random bits. A secret in the first URL is changed for it, once.
 */

/** What became of a request at the door. */
type Admission =
  | { readonly is: "in" }
  /** It brought the secret, and is given the cookie. */
  | { readonly is: "welcome"; readonly cookie: string }
  | { readonly is: "refused"; readonly status: number; readonly why: string };

/** The door of a server. */
export interface Access {
  /** What a request may. */
  readonly admit: (request: Request) => Admission;
  /** A new secret; the one before is worth nothing from then on. */
  readonly renew: () => string;
}

const names = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Prepares a door that is open to nobody until renew() was called. */
export function openAccess(): Access {
  let secret: string | undefined;
  const sessions = new Set<string>();
  const enter = (given: string): Admission => {
    if (secret === undefined || !isSame(given, secret)) {
      return refused(
        403,
        "This address was used already, or is not the whole of it.\n" +
          "what to do: press Enter where make studio runs; it prints a new one.",
      );
    }
    // Once: the address stands in the browser's history and on a terminal.
    secret = undefined;
    const session = randomText();
    sessions.add(session);
    return { is: "welcome", cookie: session };
  };
  return {
    renew: () => secret = randomText(),
    admit: (request) => {
      const url = new URL(request.url);
      const wrong = foreign(request, url);
      if (wrong !== undefined) return refused(403, wrong);
      const given = url.searchParams.get("secret");
      if (given !== null && url.pathname === "/") return enter(given);
      const own = cookieOf(request, url);
      if (own !== undefined && [...sessions].some((one) => isSame(one, own))) {
        return { is: "in" };
      }
      return refused(
        401,
        "This page opens with the address that make studio printed.\n" +
          "what to do: press Enter where it runs; it prints a new one.",
      );
    },
  };
}

/** The cookie's text for a browser; other servers of this machine see the name of its port. */
export function cookieLine(session: string, url: URL): string {
  return `${cookieName(url)}=${session}; Path=/; HttpOnly; SameSite=Strict`;
}

function refused(status: number, why: string): Admission {
  return { is: "refused", status, why };
}

/** Why a request comes from elsewhere; undefined where it does not. */
function foreign(request: Request, url: URL): string | undefined {
  const { headers, method } = request;
  // The header itself: a request may name another host in its first line.
  const host = headers.get("host") ?? "";
  if (!names.has(host.replace(/:\d+$/, "")) || host !== url.host) {
    return `This page is for this machine: expected the host 127.0.0.1, got ${host}`;
  }
  const origin = headers.get("origin");
  if (origin !== null && origin !== url.origin) {
    return `A page of ${origin} may ask nothing here`;
  }
  const isUpgrade = headers.get("upgrade") !== null;
  if (origin === null && (isUpgrade || !/^(GET|HEAD)$/.test(method))) {
    return "Expected the header Origin, as browsers send it";
  }
  // Absent from older browsers; "none" is an address that a person typed.
  const site = headers.get("sec-fetch-site") ?? "none";
  const isPage = headers.get("sec-fetch-mode") === "navigate" &&
    url.pathname === "/";
  if (site !== "same-origin" && site !== "none" && !isPage) {
    return "A page from elsewhere may ask nothing here";
  }
  return undefined;
}

function cookieName({ port }: URL): string {
  return `deno-cni-studio-${port}`;
}

function cookieOf(request: Request, url: URL): string | undefined {
  const all = (request.headers.get("cookie") ?? "").split(/; */);
  const start = `${cookieName(url)}=`;
  return all.find((one) => one.startsWith(start))?.slice(start.length);
}

function randomText(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  return bytes.toHex();
}

/** In a time that does not tell how much of them is the same. */
function isSame(a: string, b: string): boolean {
  let differences = a.length ^ b.length;
  for (let at = 0; at < a.length; at++) {
    differences |= a.charCodeAt(at) ^ b.charCodeAt(at % (b.length || 1));
  }
  return differences === 0;
}
