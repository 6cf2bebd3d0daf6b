/** The doctor's check of the kernel's tables that are one for many, and may be full. Pure. */
import {
  askOwnTables,
  askTables,
  readTables,
} from "../diagnosis/kernel_tables/kernel_tables.ts";
import { fullTables } from "../diagnosis/kernel_tables/full_tables.ts";
import {
  type Check,
  type CheckContext,
  type Finding,
  unclear,
} from "./check.ts";

export const kernelTables: Check = {
  name: "kernel-tables",
  well:
    "the kernel's tables have room: neighbours, connections, processes, inotify, …",
  asks: (context) => [tellsForAll(context) ? askTables : askOwnTables],
  read(context, [asked]) {
    const { cluster, node } = context;
    const tables = asked && readTables(asked.outcome);
    if (tables === undefined) {
      return [unclear("how full the kernel's tables are", asked)];
    }
    const isTold = tellsForAll(context);
    return fullTables(tables, cluster, node.name)
      .filter(({ table }) => isTold || !table.oneForAll)
      .map(({ is, cause: { what, evidence, remedies } }): Finding => ({
        is: is === "full" ? "fault" : "warning",
        ...{ what, evidence, remedies },
      }));
  },
};

/** What is one for all machines of a lab is told of once. */
function tellsForAll({ cluster, node }: CheckContext): boolean {
  const [first] = cluster.nodes;
  return cluster.provider !== "lab" || node.name === first?.name;
}
