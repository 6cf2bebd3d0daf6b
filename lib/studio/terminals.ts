/** Terminals of the page: each a WebSocket, and a command at a pseudoterminal behind it. */
import type { Command } from "../exec/command.ts";
import {
  openTerminal,
  type Pseudoterminal,
  TerminalError,
  type TerminalSize,
} from "./pseudoterminal.ts";

/** More than a person needs, and less than a machine minds. */
const mostTerminals = 16;

/** More than a person pastes at once, in bytes; this much may wait to be typed. */
const longestInput = 1_000_000;

/** A message is too long (RFC 6455, 7.4.1). */
const tooLong = 1009;

/** The terminals that are open. */
export interface Terminals {
  /**
   * Joins a WebSocket to a command at a terminal. Bytes are what is typed and
   * printed; a text is a size, `columns=80&rows=24`.
   *
   * @param begin finds out the command; what it throws is shown at the terminal
   */
  readonly open: (
    request: Request,
    size: TerminalSize,
    begin: () => Promise<Command>,
  ) => Response;
  /** Hangs up all of them, and waits for their ends. */
  readonly close: () => Promise<void>;
}

/** Prepares terminals. */
export function openTerminals(): Terminals {
  const all = new Set<Pseudoterminal>();
  const serve = async (
    socket: WebSocket,
    size: TerminalSize,
    begin: () => Promise<Command>,
  ) => {
    const command = await begin();
    if (socket.readyState !== WebSocket.OPEN) return;
    if (all.size >= mostTerminals) {
      throw new TerminalError(
        `${mostTerminals} terminals are open: close one first`,
      );
    }
    const terminal = openTerminal(command, environment(), size);
    all.add(terminal);
    socket.addEventListener("close", terminal.close);
    listen(socket, terminal);
    for await (const bytes of terminal.output) {
      if (socket.readyState !== WebSocket.OPEN) break;
      socket.send(bytes);
    }
    terminal.close();
    const code = await terminal.ended;
    all.delete(terminal);
    say(socket, `\r\n[ended: ${code}]\r\n`);
  };
  return {
    open(request, size, begin) {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.binaryType = "arraybuffer";
      socket.addEventListener("open", async () => {
        try {
          await serve(socket, size, begin);
        } catch (error) {
          if (!(error instanceof Error)) throw error;
          say(socket, `${error.message.replaceAll("\n", "\r\n")}\r\n`);
        }
        socket.close();
      });
      return response;
    },
    async close() {
      const open = [...all];
      for (const terminal of open) terminal.close();
      await Promise.all(open.map(({ ended }) => ended));
    },
  };
}

/** Types what comes in, as far as it is not more than a terminal takes. */
function listen(socket: WebSocket, terminal: Pseudoterminal): void {
  let waiting = 0;
  socket.addEventListener("message", async ({ data }) => {
    if (!(data instanceof ArrayBuffer)) return resize(terminal, data);
    if (waiting + data.byteLength > longestInput) {
      terminal.close();
      return socket.close(tooLong, "more than can be typed");
    }
    waiting += data.byteLength;
    await terminal.write(new Uint8Array(data));
    waiting -= data.byteLength;
  });
}

function say(socket: WebSocket, text: string): void {
  if (socket.readyState !== WebSocket.OPEN) return;
  socket.send(new TextEncoder().encode(text));
}

function environment(): Record<string, string> {
  return { ...Deno.env.toObject(), TERM: "xterm-256color" };
}

/** More letters than a size has as the page sends it. */
const longestSize = 40;

/** A size as the page sends it; anything else is nothing. */
function resize(terminal: Pseudoterminal, text: unknown): void {
  if (typeof text !== "string" || text.length > longestSize) return;
  const size = readSize(new URLSearchParams(text));
  if (size !== undefined) terminal.resize(size);
}

/** A size of a terminal, of its two numbers; undefined where it is none. */
export function readSize(given: URLSearchParams): TerminalSize | undefined {
  const [columns = 0, rows = 0] = ["columns", "rows"]
    .map((name) => Number(given.get(name)));
  const isSize = [columns, rows]
    .every((count) => Number.isInteger(count) && count > 0 && count < 1000);
  return isSize ? { columns, rows } : undefined;
}
