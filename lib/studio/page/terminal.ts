/** A terminal on the page. The only importer of xterm.js. */
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { terminalSocket } from "./asking.ts";
import { h, type PagePart, useEffect, useRef } from "./ui.ts";

interface TerminalProps {
  readonly title: string;
  /** What the server is to open: a machine's shell, or a script. */
  readonly query: Readonly<Record<string, string>>;
  readonly isShown: boolean;
}

/** The colours of a terminal, in light and in dark; each differs enough from its ground. */
const themes = {
  light: {
    background: "#ffffff",
    foreground: "#1f2328",
    cursor: "#1f2328",
    selectionBackground: "#b6d7ff",
    green: "#116329",
    red: "#a40e26",
    yellow: "#6b4a00",
    brightBlack: "#57606a",
  },
  dark: {
    background: "#0d1117",
    foreground: "#e6edf3",
    cursor: "#e6edf3",
    selectionBackground: "#264f78",
  },
};

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Joins a terminal on the page to one of the server; gives what ends that. */
function join(
  place: HTMLElement,
  { title, query }: TerminalProps,
): { readonly fit: () => void; readonly end: () => void } {
  const terminal = new Terminal({
    fontSize: 13,
    screenReaderMode: true,
    scrollback: 5000,
    theme: dark.matches ? themes.dark : themes.light,
  });
  const size = new FitAddon();
  terminal.loadAddon(size);
  terminal.open(place);
  terminal.textarea?.setAttribute("aria-label", `Terminal: ${title}`);
  size.fit();
  const sizeText = () => ({
    columns: String(terminal.cols),
    rows: String(terminal.rows),
  });
  const socket = terminalSocket({ ...query, ...sizeText() });
  socket.addEventListener("message", ({ data }) => {
    terminal.write(new Uint8Array(data));
  });
  socket.addEventListener("close", () => {
    terminal.options.disableStdin = true;
  });
  terminal.onData((text) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(new TextEncoder().encode(text));
  });
  terminal.onResize(() => {
    if (socket.readyState !== WebSocket.OPEN) return;
    socket.send(String(new URLSearchParams(sizeText())));
  });
  // Tab is the shell's; this leaves the terminal by the keyboard.
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.key !== "F6" || event.type !== "keydown") return true;
    document.querySelector<HTMLElement>("#dock [aria-selected=true]")?.focus();
    return false;
  });
  const turn = () => {
    terminal.options.theme = dark.matches ? themes.dark : themes.light;
  };
  dark.addEventListener("change", turn);
  terminal.focus();
  return {
    fit: () => size.fit(),
    end: () => {
      dark.removeEventListener("change", turn);
      socket.close();
      terminal.dispose();
    },
  };
}

/** A terminal; it ends with the element. */
export function TerminalView(props: TerminalProps): PagePart {
  const place = useRef<HTMLDivElement>(null);
  const fit = useRef(() => {});
  useEffect(() => {
    if (place.current === null) return;
    const joined = join(place.current, props);
    fit.current = joined.fit;
    const watcher = new ResizeObserver(() => joined.fit());
    watcher.observe(place.current);
    return () => {
      watcher.disconnect();
      joined.end();
    };
  }, []);
  return h("div", { class: "screen", ref: place });
}
