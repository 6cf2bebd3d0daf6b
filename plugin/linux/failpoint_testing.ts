/**
 * What the tests put in failpoint.ts's place, by the import map failpoint_testing.json:
 * `CNI_FAULT_AT=3` has the process die at the third named point that it passes,
 * `CNI_FAULT_LOG=FILE` has it write down the points' names.
 */

const at = Number(Deno.env.get("CNI_FAULT_AT") ?? 0);
const log = Deno.env.get("CNI_FAULT_LOG");
let passed = 0;

/** Passes a named point, or dies there as by `kill -9`. */
export function point(name: string): void {
  if (log !== undefined) {
    Deno.writeTextFileSync(log, `${name}\n`, { append: true });
  }
  if (++passed !== at) return;
  Deno.kill(Deno.pid, "SIGKILL");
  // The signal may take its time to arrive.
  for (;;);
}
