/**
 * Ends a lab, or one of its machines: `deno run -A lib/lab/remove.ts LAB [MACHINE]`.
 * A program that is started by its path, and imported by no other file.
 */
import { endMachines, LabError } from "./lab.ts";

const [lab, name, ...more] = Deno.args;
if (lab === undefined || more.length > 0) {
  console.error("usage: deno run -A lib/lab/remove.ts LAB [MACHINE]");
  Deno.exit(2);
}
try {
  await endMachines(lab, name);
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  console.error(error.message);
  Deno.exit(1);
}
