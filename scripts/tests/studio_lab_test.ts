/** The page of `make studio` in a real browser, worked on as a person does. */
// @ts-types="../../lib/std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import axe from "axe-core";
import { openPage, type Page, whyNoBrowser } from "./browser_testing.ts";
import { cmd } from "../../lib/exec/command.ts";
import { run } from "../../lib/exec/run.ts";
import { serveLargePage } from "./studio_large_testing.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";

/** A script that serves the page. */
interface Serving {
  /** With the secret. */
  readonly address: string;
  readonly origin: string;
  readonly pid: number;
  /** Ends it as Ctrl-C does, and gives its exit code and what it said. */
  readonly end: () => Promise<{ code: number; stderr: string }>;
}

async function serve(lab: TestLab): Promise<Serving> {
  const command = scriptCommand("studio", lab.file, "--port", "0");
  const [program, ...args] = command.argv;
  const script = new Deno.Command(program, {
    args,
    env: { ...lab.env, DISPLAY: "", WAYLAND_DISPLAY: "", SSH_CONNECTION: "" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = new Response(script.stderr).text();
  const reader = script.stdout.pipeThrough(new TextDecoderStream())
    .getReader();
  const { value = "" } = await reader.read();
  if (value === "") throw new Error(await said);
  const address = value.trim();
  return {
    address,
    origin: new URL(address).origin,
    pid: script.pid,
    async end() {
      script.kill("SIGINT");
      const { code } = await script.status;
      await reader.cancel();
      return { code, stderr: await said };
    },
  };
}

/** What a person does with the page. */
function hands(page: Page) {
  const quoted = JSON.stringify;
  const button = (text: string) =>
    `[...document.querySelectorAll("button")].find((one) =>
      one.offsetParent !== null && one.ariaDisabled !== "true" &&
      one.textContent.startsWith(${quoted(text)}))`;
  const until = (expression: string) => page.until(`return ${expression}`);
  return {
    until,
    click: (text: string) =>
      page.until(
        `const found = ${button(text)}; found?.click(); return found`,
      ),
    choose: (name: string) =>
      page.until(
        `const found = document.querySelector('.place[title="${name}"]');
        found?.click(); return found`,
      ),
    /** Types into what has the focus. */
    async type(text: string) {
      for (const key of text) {
        const enter = { key: "Enter", windowsVirtualKeyCode: 13, text: "\r" };
        await page.devtools("Input.dispatchKeyEvent", {
          type: "keyDown",
          ...(key === "\n" ? enter : { key, text: key }),
        });
      }
    },
    says: (selector: string, text: string) =>
      until(
        `document.querySelector(${quoted(selector)})?.textContent.includes(${
          quoted(text)
        })`,
      ),
    pictureSays: (text: string) =>
      until(
        `document.querySelector("#picture").shadowRoot.textContent.includes(${
          quoted(text)
        })`,
      ),
    /** What is in the terminal that is seen. */
    terminalSays: (text: string) =>
      until(
        `document.querySelector("#dock [role=tabpanel]:not([hidden]) .xterm-rows")
          ?.textContent.includes(${quoted(text)})`,
      ),
    async size(width: number, dark: boolean, motion = "no-preference") {
      const height = 900;
      await page.devtools("Emulation.setDeviceMetricsOverride", {
        ...{ width, height, deviceScaleFactor: 1, mobile: false },
      });
      await page.devtools("Emulation.setEmulatedMedia", {
        features: [
          { name: "prefers-color-scheme", value: dark ? "dark" : "light" },
          { name: "prefers-reduced-motion", value: motion },
        ],
      });
    },
  };
}

/** What axe-core finds that keeps people out. */
async function seriousFaults(page: Page): Promise<readonly string[]> {
  await page.devtools("Runtime.evaluate", { expression: axe.source });
  const found = await page.devtools("Runtime.evaluate", {
    expression:
      `axe.run({ resultTypes: ["violations"] }).then(({ violations }) =>
      violations.filter(({ impact }) => /serious|critical/.test(impact))
        .map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" ")))`,
    awaitPromise: true,
    returnByValue: true,
  }) as { result: { value?: readonly string[]; description?: string } };
  const { value, description } = found.result;
  if (value === undefined) throw new Error(description);
  return value;
}

/** At each size, light and dark: nothing serious, and nothing that sticks out. */
async function checkLooks(page: Page): Promise<void> {
  const { size, until } = hands(page);
  const looks = [[1280, false], [800, true], [400, true]] as const;
  for (const [width, dark] of looks) {
    await size(width, dark, "reduce");
    // Once its terminals have the new width as well.
    await until(`innerWidth === ${width} &&
      document.documentElement.scrollWidth <= ${width}`);
    assertEquals(await seriousFaults(page), [], `at ${width} pixels`);
  }
  await size(1280, false, "reduce");
}

/** Ten nodes and 63 pods: each can be chosen and read, at each size. */
async function lookAtLarge(page: Page): Promise<void> {
  const { says, size, until } = hands(page);
  await size(1280, false, "reduce");
  await says("#matrix", "✗ no [1]");
  await until(`document.querySelectorAll(".place").length === 10 + 63 + 1`);
  await checkLooks(page);
  for (const width of [1280, 800, 400]) {
    await size(width, false, "reduce");
    // Of 150 pixels: smaller than that, a pod's address cannot be read.
    await until(`[...document.querySelectorAll(".place.pod")]
      .every((pod) => pod.getBoundingClientRect().width >= 89)`);
  }
}

/** Brings the lab up by the page's button, and works on it. */
async function work(page: Page, lab: TestLab): Promise<void> {
  const { until, click, choose, type, says, pictureSays, terminalSays } = hands(
    page,
  );
  await says("#problem", "worker-1: not running");
  await click("make up");
  await says("#dock [role=log]", "04-bridge");
  await says("#dock", "done (exit code 0)");
  await says("#stages", "✓ applied");
  await says("#summary", "All 18 paths are as expected");
  await pictureSays("10.244.1.2");

  // A terminal on a node: what is broken there is on the page.
  await choose("worker-1");
  await says("#chosen", "10.244.2.0/24 via");
  await click("Terminal");
  await terminalSays("worker-1:/#");
  await type("ip route del 10.244.2.0/24; stty size\n");
  await pictureSays("no route to 10.244.2.0/24");
  await until(`document.querySelector('.place.fresh[title="worker-1"]')`);
  await checkLooks(page);
  await click("Stages");
  await says("#stages", "✗ drifted");
  await click("✗ no");
  await says("#cause", "worker-1 has no route");
  await says("#cause", "mend: make 08-routes");

  // That very path is traced, and mended by a button.
  await click("Trace worker-1/shell → worker-2/web");
  await says("#trace", "NOT DELIVERED");
  await until(`document.querySelector("li[aria-current=step]")`);
  await until(`document.querySelector(".packet.DROPPED")`);
  assertEquals(await seriousFaults(page), []);
  await click("Stages");
  await click("08-routes");
  await says("#opened-stage", "ip route replace 10.244.2.0/24");
  await click("Run");
  await says("#summary", "All 18 paths are as expected");

  // In a pod, by the keyboard: two places, and the packet goes there and back.
  await click("Trace two places");
  await choose("worker-1/shell");
  await choose("outside");
  await says("#trace", "DELIVERED, and the answer came back");
  await until(`document.querySelector("#trace li.back[aria-current=step]")`);
  await choose("worker-2/web");
  await says("#chosen", "dev eth0");
  await click("Terminal");
  await terminalSays("worker-2/web");
  await click("Stages");
  await click("Step by step");
  await terminalSays("08-routes");
  assertMatch(
    await lab.on("worker-1", cmd`ip route show 10.244.2.0/24`),
    /via 10\.0\.1\.12/,
  );
}

/** Says what the matrix will be, and goes on to a stop of the tour. */
async function learn(page: Page): Promise<void> {
  const { until, click, says } = hands(page);
  const mark = (field: string, mark: string) =>
    page.until(
      `const found = document.querySelector(
        'input[name="${field}"][value="${mark}"]');
      found?.click(); return found?.checked`,
    );
  await click("Predict");
  await mark("predict-pod-to-own-node", "no");
  await mark("predict-pod-to-outside", "node");
  await page.evaluate("location.reload(); return 1");
  await until("document.querySelector('#side-tab-predict')");
  await click("Predict");
  await until(
    `document.querySelector('[name="predict-pod-to-outside"]:checked')
      ?.value === "node"`,
  );
  await click("Run 06-forwarding");
  await says("#predict .marked", "1 of 2 right");
  await says("#predict .marked", "The pod and its node are on one bridge");
  await checkLooks(page);

  // No tour made this lab: it says so, and begins once it is gone.
  await click("Tour");
  await says("#tour", "is there already");
  await until(
    `[...document.querySelectorAll("#tour button")].some((one) =>
      one.textContent === "Run stop 1" && one.disabled)`,
  );
  await click("Stages");
  await click("make down");
  await says("#problem", "worker-1: not running");
  await click("Tour");
  await until(`!document.querySelector("#tour .way")`);
  await says("#tour", "so there have to be machines first");
  await click("Run stop 1");
  await says("#tour", "10.0.1.11/24 fe80::");
  await click("Next stop");
  await says("#tour", "02-kubeadm · stop 2 of 11");
  await checkLooks(page);
  await click("Back");
  await says("#tour", "01-provision · stop 1 of 11");
}

/** An exercise on the page, and what a terminal does with the same one meanwhile. */
async function exercises(page: Page, lab: TestLab): Promise<void> {
  const { until, click, says } = hands(page);
  const exercise = (...words: string[]) => lab.script("exercise", ...words);
  await click("Exercises");
  await says("#progress", "0 of ");
  // Begun in a terminal, it is open on the page, and the page may have another hint.
  const begun = await exercise("4");
  assertEquals(begun.code, 0, begun.stderr);
  await says("#exercise", "Solved when: ");
  await exercise("4-hint");
  await until(`document.querySelectorAll("#exercise .hints li").length === 1`);
  await click("Another hint");
  await until(`document.querySelectorAll("#exercise .hints li").length === 2`);
  await click("Check");
  await says("#exercise .answer", "Exercise 4 is not solved yet");
  await says("#exercise .answer", "worker-1 → worker-2: no");
  assertEquals(await seriousFaults(page), []);
  await click("Surprise me");
  await says("#surprise", "Exercise 4 is set up and not solved yet");
  await click("Show the trace");
  await says("#trace", "no route to the pods of worker-2");
  // What only hides the fault is found.
  const hiding = cmd`ip route add 10.244.2.0/24 via 10.0.1.12`;
  await lab.on("worker-1", hiding);
  await click("Exercises");
  await click("Check");
  await says("#exercise .answer", "worker-1 has, and had not before: ip route");
  await lab.on("worker-1", cmd`ip route del 10.244.2.0/24`);
  const mended = await lab.script("08-routes", "--node", "worker-1");
  assertEquals(mended.code, 0, mended.stderr);
  await click("Check");
  await says("#exercise .answer", "Solved: everything works");
  await says("#exercise .explanation", "its default route took");
  await says("#progress", "1 of ");
  const listed = await exercise("-o", "json");
  assertEquals(JSON.parse(listed.stdout).exercises[3].state, "solved");
  // Of a surprise nothing is told; a terminal takes it back.
  await click("Surprise me");
  await says("#surprise", "The surprise is set up");
  assertEquals(
    await page.evaluate(
      `return document.querySelector("#exercises .is-open")?.textContent ?? ""`,
    ),
    "",
  );
  const back = await exercise("surprise-reset");
  assertEquals(back.code, 0, back.stderr);
  await until(`document.querySelector("#surprise h3") === null`);
  await click("Stages");
}

/** How many shells of a lab's nodes are there for the page. */
async function shellsOf(serving: Serving): Promise<number> {
  const { stdout } = await run(cmd`ps -o pid= --ppid ${String(serving.pid)}`);
  return stdout.split("\n").filter((line) => line.trim() !== "").length;
}

const why = await whyNoBrowser();

Deno.test({
  name:
    `the studio brings a lab up, has it broken and mended, traces, and asks nobody else${
      why === undefined ? "" : ` (${why})`
    }${Deno.uid() === 0 ? "" : " (needs root)"}`,
  ignore: why !== undefined || Deno.uid() !== 0,
  async fn() {
    await using lab = await testLab("t-studio");
    const serving = await serve(lab);
    const { address, origin, end } = serving;
    try {
      {
        await using large = await serveLargePage();
        await using page = await openPage(large.address);
        await lookAtLarge(page);
        await page.evaluate(`location = ${JSON.stringify(address)}`);
        await page.until(`return location.href === "${origin}/"`);
        await hands(page).size(1280, false, "reduce");
        await work(page, lab);
        await exercises(page, lab);
        // Another page of the same browser is told, and may take over.
        const { says, click } = hands(page);
        await page.evaluate(`window.other = window.open("/"); return ""`);
        await page.until(
          `return window.other.document.body?.innerText.includes("open in another page")`,
        );
        await page.evaluate(`window.other.close(); return ""`);
        const requests = await page.requests();
        assert(requests.length > 0);
        for (const request of requests) {
          const { origin: asked } = new URL(request);
          assert([origin, new URL(large.address).origin].includes(asked));
        }
        await learn(page);
        for (let count = 0; count < 10; count++) {
          await hands(page).choose("worker-1");
          await click("Terminal");
        }
        await says("#dock", "Close worker-1");
        assert(await shellsOf(serving) >= 10);
      }
      // The browser has gone, and with it all that it had open.
      for (let tries = 0; await shellsOf(serving) > 0; tries++) {
        assert(tries < 100, `${await shellsOf(serving)} are still there`);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    } finally {
      const { code, stderr } = await end();
      assertEquals(code, 0, stderr);
    }
  },
});

rooted(
  "before there is a lab the page says so, and what is wrong with the cluster's file while it is; Ctrl-C ends it with the page open",
  async () => {
    await using lab = await testLab("t-studio-file");
    const text = await Deno.readTextFile(lab.file);
    const { address, origin, end } = await serve(lab);
    const welcome = await fetch(address);
    await welcome.body?.cancel();
    const [cookie = ""] = welcome.headers.get("set-cookie")?.split(";") ?? [];
    const events = await fetch(`${origin}/events?page=a`, {
      headers: { cookie },
    });
    const reader = events.body!.pipeThrough(new TextDecoderStream())
      .getReader();
    let said = "";
    const told = async (isMeant: (problem: string) => boolean) => {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error(said);
        const lines = (said + value).split("\n");
        said = lines.pop() ?? "";
        const problems = lines.filter((line) => line.startsWith("data: "))
          .map((line) => JSON.parse(line.slice(6)).state?.problem ?? "");
        if (problems.some(isMeant)) return;
      }
    };
    const fault = "bridge: / is not a link's name";
    await told((problem) => problem.includes("worker-1: not running"));
    await Deno.writeTextFile(
      lab.file,
      text.replace("bridge: cni0", "bridge: /"),
    );
    await told((problem) => problem.includes(fault));
    await Deno.writeTextFile(`${lab.file}.new`, text);
    await Deno.rename(`${lab.file}.new`, lab.file);
    await told((problem) => !problem.includes(fault));
    const { code, stderr } = await end();
    assertEquals(code, 0, stderr);
    await reader.cancel().catch(() => {});
  },
);

rooted("a port that is in use is named, with what to do", async () => {
  await using lab = await testLab("t-studio-port");
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const { code, stderr } = await lab.script("studio", "--port", String(port));
  taken.close();
  assertEquals(code, 1);
  assertStringIncludes(stderr, `Port ${port} of 127.0.0.1 is in use`);
  assertStringIncludes(stderr, "--port 0");
});
