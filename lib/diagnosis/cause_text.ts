/** A cause's evidence and mend as text for people. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Cause } from "./faults.ts";

/** What a cause rests on, and what mends it: a line each, without indentation. */
export function causeLines(
  { evidence, mend }: Pick<Cause, "evidence" | "mend">,
  cluster: Pick<Cluster, "file">,
): string[] {
  return [
    ...evidence.flatMap(({ where, command, printed }) => [
      `${where}$ ${command}`,
      ...printed.split("\n").map((line) => `  ${line}`),
    ]),
    ...mend.map((command) => `mend: ${forCluster(command, cluster)}`),
  ];
}

/** A command of ours, told which cluster it is about where that is not the default. */
export function forCluster(
  command: string,
  { file }: Pick<Cluster, "file">,
): string {
  if (file === "config/lab.yaml") return command;
  if (command.startsWith("scripts/")) {
    return command.replace(" ", ` --cluster ${file} `);
  }
  if (!command.startsWith("make ")) return command;
  return command.includes('ARGS="')
    ? command.replace('ARGS="', `ARGS="--cluster ${file} `)
    : `${command} ARGS="--cluster ${file}"`;
}
