/** The one page that may be open at a time: what it is told, and what it gives up to another. */
import type { PageEvent } from "./protocol.ts";

/** Where pages sit down. */
export interface Seat {
  /**
   * The events of a page (HTML, "Server-sent events"), for as long as it is open.
   *
   * @param page what the page calls itself
   * @param takes whether it takes the place of another
   */
  readonly sit: (page: string, takes: boolean) => Response;
  /** Whether this page is the one. */
  readonly has: (page: string | null) => boolean;
  readonly isTaken: () => boolean;
  readonly tell: (told: PageEvent) => void;
  /** Sends all pages away. */
  readonly close: () => void;
}

/** What happens when a page comes, and when it is gone. */
interface SeatEvents {
  readonly taken: () => void;
  /** @param page what it called itself */
  readonly left: (page: string) => void;
}

type Stream = ReadableStreamDefaultController<Uint8Array>;

/** This often a page is written to: one that was lost is noticed by that. */
const beat_ms = 15_000;

/** Prepares the seat; nothing is there yet. */
export function openSeat({ taken, left }: SeatEvents): Seat {
  let current: { readonly page: string; readonly stream: Stream } | undefined;
  const write = (stream: Stream, text: string) =>
    stream.enqueue(new TextEncoder().encode(text));
  const send = (stream: Stream, told: PageEvent) =>
    write(stream, `data: ${JSON.stringify(told)}\n\n`);
  const beat = setInterval(() => {
    if (current !== undefined) write(current.stream, ":\n\n");
  }, beat_ms);
  const leave = (stream: Stream) => {
    if (current?.stream !== stream) return;
    const { page } = current;
    current = undefined;
    left(page);
  };
  return {
    sit(page, takes) {
      let own: Stream | undefined;
      const body = new ReadableStream<Uint8Array>({
        start(stream) {
          own = stream;
          const other = current;
          if (other !== undefined && other.page !== page && !takes) {
            send(stream, { is: "occupied" });
            stream.close();
            return;
          }
          if (other !== undefined) {
            if (other.page !== page) send(other.stream, { is: "taken" });
            other.stream.close();
            leave(other.stream);
          }
          current = { page, stream };
          // The first bytes: a browser takes the stream for open by them.
          write(stream, ":\n\n");
          taken();
        },
        cancel() {
          if (own !== undefined) leave(own);
        },
      });
      const headers = {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
      };
      return new Response(body, { headers });
    },
    has: (page) => current !== undefined && current.page === page,
    isTaken: () => current !== undefined,
    tell: (told) => {
      if (current !== undefined) send(current.stream, told);
    },
    close() {
      clearInterval(beat);
      if (current === undefined) return;
      const { stream } = current;
      stream.close();
      leave(stream);
    },
  };
}
