/** A real browser for tests: chromium without a window, driven by the WebDriver protocol (W3C WebDriver). */
import { cmd, succeeded } from "../../lib/exec/command.ts";
import { run } from "../../lib/exec/run.ts";

/** A page that a browser has open. */
export interface Page extends AsyncDisposable {
  /** Runs a function's body in the page, and gives what it returns. */
  evaluate(body: string): Promise<unknown>;
  /** Waits until the body of a function returns something true in the page. */
  until(body: string): Promise<unknown>;
  /** Every address of a network that the browser has asked for since it was started. */
  requests(): Promise<readonly string[]>;
  /** Asks the browser by the Chrome DevTools Protocol. */
  devtools(command: string, params: Record<string, unknown>): Promise<unknown>;
  /** A picture of the window, as the bytes of a PNG file. */
  screenshot(): Promise<Uint8Array<ArrayBuffer>>;
}

/** Why no browser can be had here, or undefined. */
export async function whyNoBrowser(): Promise<string | undefined> {
  for (const program of ["chromium", "chromedriver"]) {
    const found = await run(cmd`sh -c ${'command -v "$1"'} find ${program}`);
    if (!succeeded(found)) return `needs ${program}`;
  }
  return undefined;
}

/** Chromium asks its makers' servers for this and that unless it is told not to. */
const quiet = [
  "--headless=new",
  "--no-sandbox", // Root may not have one.
  "--disable-gpu",
  "--disable-quic",
  "--disable-sync",
  "--disable-component-update",
  "--disable-background-networking",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--window-size=1400,1000",
];

/** Opens a page; disposing of it ends the browser. */
export async function openPage(
  address: string,
  more: readonly string[] = [],
): Promise<Page> {
  const folder = await Deno.makeTempDir({ prefix: "deno-cni-browser-" });
  const driver = new Deno.Command("chromedriver", {
    args: ["--port=0"],
    env: { HOME: folder },
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const end = async () => {
    driver.kill("SIGTERM");
    await driver.stdout.cancel();
    await driver.status;
    await Deno.remove(folder, { recursive: true });
  };
  try {
    const server = `http://127.0.0.1:${await portOf(driver.stdout)}`;
    const { sessionId } = await ask(server, "POST", "/session", {
      capabilities: {
        alwaysMatch: {
          browserName: "chrome",
          "goog:chromeOptions": {
            binary: "/usr/bin/chromium",
            args: [...quiet, `--user-data-dir=${folder}/profile`, ...more],
          },
          "goog:loggingPrefs": { performance: "ALL" },
        },
      },
    }) as { sessionId: string };
    const session = `/session/${sessionId}`;
    await ask(server, "POST", `${session}/url`, { url: address });
    return pageOf(server, session, end);
  } catch (error) {
    await end();
    throw error;
  }
}

function pageOf(
  server: string,
  session: string,
  end: () => Promise<void>,
): Page {
  const evaluate = (script: string) =>
    ask(server, "POST", `${session}/execute/sync`, { script, args: [] });
  return {
    evaluate,
    async until(body) {
      const deadline_ms = Date.now() + 90_000;
      while (true) {
        const found = await evaluate(body);
        if (found) return found;
        if (Date.now() > deadline_ms) {
          const text = await evaluate("return document.body.innerText");
          throw new Error(`waited in vain for: ${body}\nthe page: ${text}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async requests() {
      const log = await ask(server, "POST", `${session}/se/log`, {
        type: "performance",
      }) as { message: string }[];
      return log.flatMap(({ message }) => {
        const { method, params } = JSON.parse(message).message;
        if (method !== "Network.requestWillBeSent") return [];
        const url: string = params.request.url;
        // Its own pages come from within.
        return /^(chrome(-untrusted)?|data|blob|about):/.test(url) ? [] : [url];
      });
    },
    devtools: (cmd, params) =>
      ask(server, "POST", `${session}/goog/cdp/execute`, { cmd, params }),
    async screenshot() {
      const text = await ask(server, "GET", `${session}/screenshot`) as string;
      return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    },
    async [Symbol.asyncDispose]() {
      await ask(server, "DELETE", session);
      await end();
    },
  };
}

/** The port that chromedriver says it listens on. */
async function portOf(stdout: ReadableStream<Uint8Array>): Promise<number> {
  const reader = stdout.getReader();
  const decoder = new TextDecoder();
  let said = "";
  try {
    while (true) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`chromedriver ended: ${said}`);
      said += decoder.decode(value);
      const [, port] = /started successfully on port (\d+)/.exec(said) ?? [];
      if (port !== undefined) return Number(port);
    }
  } finally {
    reader.releaseLock();
  }
}

async function ask(
  server: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(server + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const { value } = await response.json();
  if (response.ok) return value;
  throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
}
