/** The page's way to its server. */
import type { PageEvent } from "../protocol.ts";

/** What this page calls itself: the server lets one page work at a time. */
const page = crypto.randomUUID();

/** Asks; what is refused is an error whose message is for the user. */
async function answerOf(path: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(path, init);
  if (response.ok) return await response.json();
  throw new Error((await response.text()).trim());
}

function address(
  path: string,
  query: Readonly<Record<string, string>>,
): string {
  return `${path}?${new URLSearchParams({ ...query, page })}`;
}

/** Asks for something that changes nothing. */
export async function get<Answer>(
  path: string,
  query: Readonly<Record<string, string>>,
): Promise<Answer> {
  return await answerOf(address(path, query), {}) as Answer;
}

/** Asks for something to be done. */
export async function post<Answer = unknown>(
  path: string,
  body: unknown,
): Promise<Answer> {
  return await answerOf(address(path, {}), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  }) as Answer;
}

/** A WebSocket to a terminal. */
export function terminalSocket(
  query: Readonly<Record<string, string>>,
): WebSocket {
  const socket = new WebSocket(address("/terminal", query));
  socket.binaryType = "arraybuffer";
  return socket;
}

/**
 * Listens to the server for as long as it lets this page.
 *
 * @param takes whether to take the place of another page
 * @param lost called when the server is gone; the browser tries again by itself
 */
export function listenToServer(
  takes: boolean,
  hear: (told: PageEvent) => void,
  lost: () => void,
): void {
  const query: Record<string, string> = takes ? { takes: "" } : {};
  const events = new EventSource(address("/events", query));
  events.addEventListener("message", ({ data }) => {
    const told: PageEvent = JSON.parse(data);
    if (told.is === "occupied" || told.is === "taken") events.close();
    hear(told);
  });
  events.addEventListener("error", lost);
}
