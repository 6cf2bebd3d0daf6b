/** The order of nodes of which some wait for others. Pure. */
import type { Step } from "./stage.ts";

/** The nodes with their steps, each behind those that its steps wait for; otherwise as they are. */
export function* inOrder(
  names: readonly string[],
  stepsOf: (name: string) => readonly Step[],
): Generator<{ readonly name: string; readonly steps: readonly Step[] }> {
  const seen = new Set<string>();
  const known = new Set(names);
  function* place(name: string): ReturnType<typeof inOrder> {
    if (seen.has(name)) return;
    seen.add(name);
    const steps = stepsOf(name);
    for (const { input } of steps) {
      if (input === undefined) continue;
      for (const other of [input.from, ...input.after ?? []]) {
        if (known.has(other)) yield* place(other);
      }
    }
    yield { name, steps };
  }
  for (const name of names) yield* place(name);
}
