// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { knownAnswers } from "./there_already.ts";

/** As iproute2 6.1 prints them. */
const routes = JSON.parse(`[
{"dst":"default","gateway":"10.0.1.1","dev":"eth0","flags":[]},
{"dst":"10.0.1.0/24","dev":"eth0","protocol":"kernel","scope":"link","prefsrc":"10.0.1.11","flags":[]},
{"dst":"10.244.2.0/24","gateway":"10.0.1.12","dev":"eth0","protocol":"244","flags":[]},
{"dst":"10.244.3.0/24","gateway":"10.244.3.0","dev":"deno.vxlan","protocol":"244","flags":["onlink"]},
{"dst":"10.244.4.0/24","gateway":"10.0.1.14","dev":"eth0","protocol":"static","flags":[]},
{"dst":"10.244.5.0/24","gateway":"10.0.1.15","dev":"eth0","protocol":"244","flags":[]},
{"dst":"10.244.5.0/24","gateway":"10.0.1.15","dev":"eth0","protocol":"244","metric":7,"flags":[]}
]`);
const known = knownAnswers(routes, ["10.0.1.0/24"]);

const route = (to: string, via: string, ...through: string[]) =>
  known({
    why: "",
    run: cmd`ip route replace ${to} via ${via} ${through} proto 244`,
  })?.is;

Deno.test("the kernel's routes tell which of stage 08's are there, and which are still to be made", () => {
  assertEquals(route("10.244.2.0/24", "10.0.1.12"), "present");
  const tunnel = ["dev", "deno.vxlan", "onlink"];
  assertEquals(route("10.244.3.0/24", "10.244.3.0", ...tunnel), "present");
  assertEquals(route("10.244.9.0/24", "10.0.1.19"), "absent");
});

Deno.test("what is not as the stage makes it, or needs another look, is asked of the probe", () => {
  assertEquals(route("10.244.2.0/24", "10.0.1.99"), undefined);
  assertEquals(route("10.244.4.0/24", "10.0.1.14"), undefined);
  assertEquals(route("10.244.5.0/24", "10.0.1.15"), undefined);
  assertEquals(route("10.244.9.0/24", "10.0.2.19"), undefined);
  const tunnel = ["dev", "deno.vxlan", "onlink"];
  assertEquals(route("10.244.8.0/24", "10.244.8.0", ...tunnel), undefined);
  assertEquals(known({ why: "", run: cmd`ip link set cni0 up` }), undefined);
  assertEquals(
    known({ why: "", run: { copy: "a", to: "b", mode: "644" } }),
    undefined,
  );
});
