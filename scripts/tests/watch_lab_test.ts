/** The page of `make watch` in a real browser, while stages run on a lab. */
// @ts-types="../../lib/std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { openPage, whyNoBrowser } from "./browser_testing.ts";
import { cmd } from "../../lib/exec/command.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";

/** A script that serves the page. */
interface Serving {
  readonly address: string;
  /** Ends it as Ctrl-C does, and gives its exit code and what it said. */
  readonly end: () => Promise<{ code: number; stderr: string }>;
}

async function serve(lab: TestLab): Promise<Serving> {
  const command = scriptCommand("watch", lab.file, "--port", "0");
  const [program, ...args] = command.argv;
  const script = new Deno.Command(program, {
    args,
    env: { ...lab.env },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = new Response(script.stderr).text();
  const reader = script.stdout.pipeThrough(new TextDecoderStream())
    .getReader();
  const { value = "" } = await reader.read();
  if (value === "") throw new Error(await said);
  return {
    address: value.trim(),
    async end() {
      script.kill("SIGINT");
      const { code } = await script.status;
      await reader.cancel();
      return { code, stderr: await said };
    },
  };
}

async function must(lab: TestLab, ...scripts: string[]): Promise<void> {
  for (const name of scripts) {
    const { code, stderr } = await lab.script(name);
    assertEquals(code, 0, `${name}: ${stderr}`);
  }
}

/** The text of a stage's row, in the page. */
const stageRow = (stage: string) =>
  `[...document.querySelectorAll("#stages tr")]
    .find((row) => row.textContent.startsWith("${stage}"))?.textContent ?? ""`;

const why = await whyNoBrowser();

Deno.test({
  name:
    `the page shows stages, picture and matrix as they change, and asks nobody else${
      why === undefined ? "" : ` (${why})`
    }${Deno.uid() === 0 ? "" : " (needs root)"}`,
  ignore: why !== undefined || Deno.uid() !== 0,
  async fn() {
    await using lab = await testLab("t-watch");
    await must(lab, "01-provision", "02-kubeadm", "03-cni-config");
    const { address, end } = await serve(lab);
    try {
      await using page = await openPage(address);
      const until = (body: string) => page.until(`return ${body}`);
      await until(`${stageRow("03-cni-config")}.includes("✓ applied")`);
      await until(`${stageRow("04-bridge")}.includes("not applied")`);
      await until(`document.querySelector("#picture svg") !== null`);
      const summary = `document.querySelector("#summary").textContent`;
      await until(`${summary}.includes("No test pods")`);

      await must(lab, "04-bridge");
      await until(`${stageRow("04-bridge")}.includes("✓ applied")`);
      await until(
        `document.querySelector("#picture").textContent.includes("cni0")`,
      );
      await must(lab, "05-plugin", "06-forwarding", "07-masquerade");
      await must(lab, "08-routes", "09-verify");
      await until(`${summary}.includes("All 18 paths are as expected")`);

      await lab.on("worker-1", cmd`ip route del 10.244.2.0/24`);
      await until(
        `document.querySelector("#matrix .bad")?.textContent.startsWith("✗")`,
      );
      const causes = await page.evaluate(
        `return document.querySelector("#causes").textContent`,
      ) as string;
      assertStringIncludes(causes, "worker-1 has no route");
      assertStringIncludes(causes, "mend: make 08-routes");
      await must(lab, "08-routes");
      await until(`${summary}.includes("All 18 paths are as expected")`);

      const origin = address.replace(/\/$/, "");
      const requests = await page.requests();
      assert(requests.length > 0);
      for (const request of requests) {
        assertMatch(request, new RegExp(`^${origin}/(events|favicon.ico)?$`));
      }
    } finally {
      const { code } = await end();
      assertEquals(code, 0);
    }
  },
});

rooted(
  "Ctrl-C ends the watching, also with a page open; nothing was changed on the nodes",
  async () => {
    await using lab = await testLab("t-watch-end");
    await must(lab, "01-provision", "02-kubeadm");
    const state = () =>
      lab.on("worker-1", cmd`sh -c ${"ip -br addr; iptables -S; ip route"}`);
    const before = await state();
    const { address, end } = await serve(lab);
    const events = await fetch(`${address}events`);
    const reader = events.body!.getReader();
    const { value } = await reader.read();
    assertStringIncludes(new TextDecoder().decode(value), '"cluster"');
    const { code, stderr } = await end();
    assertEquals(code, 0, stderr);
    await reader.cancel().catch(() => {});
    assertEquals(await state(), before);
  },
);

rooted(
  "before there is a lab the page says that no node answers",
  async () => {
    await using lab = await testLab("t-watch-none");
    const { address, end } = await serve(lab);
    const reader = (await fetch(`${address}events`)).body!.getReader();
    const { value } = await reader.read();
    const data = new TextDecoder().decode(value).replace(/^.*\ndata: /, "");
    assertMatch(JSON.parse(data).problem, /worker-1: /);
    await reader.cancel();
    assertEquals((await end()).code, 0);
  },
);

rooted(
  "a cluster file that is spoilt meanwhile is told on the page, and read again once it is mended",
  async () => {
    await using lab = await testLab("t-watch-file");
    const text = await Deno.readTextFile(lab.file);
    const { address, end } = await serve(lab);
    const reader = (await fetch(`${address}events`)).body!
      .pipeThrough(new TextDecoderStream()).getReader();
    const problem = async () => {
      const { value = "" } = await reader.read();
      return JSON.parse(value.replace(/^.*\ndata: /, "")).problem as string;
    };
    assertMatch(await problem(), /worker-1: /);
    await Deno.writeTextFile(
      lab.file,
      text.replace("bridge: cni0", "bridge: /"),
    );
    assertStringIncludes(await problem(), "bridge");
    await Deno.writeTextFile(lab.file, text);
    assertMatch(await problem(), /worker-1: /);
    await reader.cancel();
    assertEquals((await end()).code, 0);
  },
);

rooted("a port that is in use is named, with what to do", async () => {
  await using lab = await testLab("t-watch-port");
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const { code, stderr } = await lab.script("watch", "--port", String(port));
  taken.close();
  assertEquals(code, 1);
  assertStringIncludes(stderr, `Port ${port} of 127.0.0.1 is in use`);
  assertStringIncludes(stderr, "--port 0");
});
