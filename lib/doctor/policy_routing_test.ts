/** What the doctor reads of policy routing, as a worker of a lab answered. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { found, mendOf, one } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";

const usual = '{"priority":0,"src":"all","table":"local"},' +
  '{"priority":32766,"src":"all","table":"main"}';

/** The address of the worker's first pod. */
const [pod] = hostWith().pods.flatMap(({ addresses }) => addresses);
assert(pod !== undefined);
const flow = `4,10.244.2.1,${pod.address},cni0`;

const answer = (rule: string, mark: number, route: string) =>
  Object.entries({
    "rules 4": `[${rule},${usual}]`,
    [`main ${flow}`]: '[{"dst":"default","gateway":"10.0.1.1","dev":"eth0"},' +
      '{"dst":"10.244.2.0/24","gateway":"10.0.1.12","dev":"eth0"}]',
    [`route ${flow},${mark}`]: route,
    end: "",
  }).map(([name, text]) => `\ndeno-cni-policy-routing ${name}\n${text}\n`)
    .join("");

Deno.test("a rule by which pods' packets are refused is a fault, with the line that takes it away", () => {
  const rule = '{"priority":12,"src":"10.244.1.0","srclen":24,"table":"100"}';
  const said = "RTNETLINK answers: Invalid argument";
  const stdout = answer(rule, 0, said);
  const finding = one(found("policy-routing", [{ stdout }]));
  assertEquals(finding.is, "fault");
  assertStringIncludes(
    finding.what,
    "looks into the table 100, which has no way for it (blackhole), where " +
      'the main table has "10.244.2.0/24 via 10.0.1.12 dev eth0"',
  );
  assertStringIncludes(
    mendOf(finding)[0] ?? "",
    "ip -4 rule del pref 12 from 10.244.1.0/24 lookup 100",
  );
});

Deno.test("a rule that sends marked packets elsewhere is a warning, and one that changes nothing is none", () => {
  const rule = '{"priority":9,"src":"all","fwmark":"0x5","table":"101"}';
  const route = (gateway: string) =>
    `[{"dst":"default","gateway":"${gateway}","dev":"eth0","table":"101"}]`;
  const elsewhere = answer(rule, 5, route("10.0.1.1"));
  const finding = one(found("policy-routing", [{ stdout: elsewhere }]));
  assertEquals(finding.is, "warning");
  assertStringIncludes(finding.what, "bears the mark 5 and sends it by");
  const same = answer(rule, 5, route("10.0.1.12"));
  assertEquals(found("policy-routing", [{ stdout: same }]), []);
});
