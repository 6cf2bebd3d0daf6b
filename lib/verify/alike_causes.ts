/** Causes in stage 09's findings that are the same on many nodes. Pure. */
import type { MatrixReport } from "./matrix_report.ts";

type Numbered = MatrixReport["causes"][number];

/** As many that differ in the node alone are given one by one. */
const few = 3;

/** Groups of causes that differ in the node alone; a group of one for any other. */
export function alikeCauses(
  causes: readonly Numbered[],
): readonly (readonly Numbered[])[] {
  const groups = Map.groupBy(
    causes,
    ({ kind, on, what }) => `${kind} ${what.replaceAll(on, "\0")}`,
  );
  return [...groups.values()].flatMap((alike) =>
    alike.length <= few ? alike.map((one) => [one]) : [alike]
  );
}

/** The number of the first of a cause's group, by the cause's own number. */
export function firstAlike(
  causes: readonly Numbered[],
): ReadonlyMap<number, number> {
  return new Map(
    alikeCauses(causes).flatMap((alike) =>
      alike.map(({ number }): [number, number] => [
        number,
        alike[0]?.number ?? number,
      ])
    ),
  );
}
