// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { show } from "../exec/command.ts";
import { endPod, type PodState } from "./namespace_pods.ts";
import { readNodeSurvey } from "./node_survey.ts";

const boundary = "b0undary";
const list = '{"name":"n","plugins":[{"type":"deno-cni"}]}';
const result = '{"ips":[{"address":"10.244.1.2/24"}]}';

/** What the survey prints on a node that has these parts. */
function printed(parts: Readonly<Record<string, string>>): string {
  return [...Object.entries(parts), ["end", ""]]
    .map(([name, text]) => `\n${boundary} ${name}\n${text}`).join("") + "\n";
}

function survey(parts: Readonly<Record<string, string>>) {
  const stdout = printed(parts);
  const read = readNodeSurvey({ code: 0, stdout, stderr: "" }, boundary);
  if (read === undefined) throw new Error("the survey did not end");
  return read;
}

function web(parts: Readonly<Record<string, string>>): PodState {
  return survey(parts).pods.web;
}

const running = {
  "web.sandbox": "nsfs\n",
  "web.list": list,
  "web.result": `${result}\n`,
};

Deno.test("a survey that was cut off is none", () => {
  const stdout = printed({ bridged: "" }).replace(/\nb0undary end[^]*/, "");
  assertEquals(
    readNodeSurvey({ code: 0, stdout, stderr: "" }, boundary),
    undefined,
  );
});

Deno.test("a survey tells what a runtime would use on the node", () => {
  const { bridged, busybox, plugins, list: found } = survey({
    bridged: "/proc/sys/net/bridge\n",
    busybox: "/bin/busybox\n",
    plugins: "bridge\ndeno-cni\n",
    "list.path": "/etc/cni/net.d/10-x.conflist\n",
    list: `${list}\n`,
  });
  assertEquals([bridged, busybox], [true, true]);
  assertEquals(plugins, ["bridge", "deno-cni"]);
  assertEquals(found?.path, "/etc/cni/net.d/10-x.conflist");
  assertEquals(found?.text.trim(), list);
  assertEquals(survey({}).list, undefined);
  assertEquals(survey({}).bridged, false);
});

Deno.test("a pod that is there is used, whether its server listens or not", () => {
  const state = web(running);
  assertEquals(state.is === "running" && state.result.address, "10.244.1.2");
  assertEquals(state.is === "running" && state.serving, false);
  const serving = web({ ...running, "web.serving": "LISTEN 0 9 *:80\n" });
  assertEquals(serving.is === "running" && serving.serving, true);
});

Deno.test("what cannot be a pod any more is a ruin, and says why", () => {
  const why = (parts: Readonly<Record<string, string>>) => {
    const state = web(parts);
    return state.is === "ruin" ? state.why : state.is;
  };
  const { "web.sandbox": _, ...rebooted } = running;
  assertStringIncludes(why(rebooted), "namespace was gone");
  // `ip netns add` that was killed leaves a plain file.
  assertStringIncludes(
    why({ ...running, "web.sandbox": "tmpfs\n" }),
    "namespace was gone",
  );
  const { "web.result": __, ...halfway } = running;
  assertStringIncludes(why(halfway), "cut off");
  assertStringIncludes(why({ ...running, "web.result": "{" }), "cut off");
  assertStringIncludes(
    why({ ...running, "list.path": "/etc/x.conflist", list: "{}" }),
    "/etc/x.conflist was another when it was started",
  );
});

Deno.test("a namespace that stage 09 did not make is somebody else's", () => {
  assertEquals(web({ "web.sandbox": "nsfs\n" }).is, "foreign");
  assertEquals(endPod("web", { is: "foreign" }, undefined), []);
  assertEquals(web({}).is, "none");
});

Deno.test("a ruin is cleared as far as it got, DEL first", () => {
  const commands = (state: PodState) =>
    endPod("web", state, undefined).map(({ run }) => show(run));
  const { "web.sandbox": _, ...rebooted } = running;
  const [del, forget, ...none] = commands(web(rebooted));
  assertStringIncludes(del ?? "", "CNI_COMMAND=DEL");
  assertStringIncludes(forget ?? "", "rm -rf");
  assertEquals(none, []);
  assertEquals(
    commands(web(running)).filter((line) => line === "ip netns del web").length,
    1,
  );
});
