/** The doctor's check of the kernel's tables that are one for many, and may be full. Pure. */
import {
  askTables,
  readTables,
} from "../diagnosis/kernel_tables/kernel_tables.ts";
import { fullTables } from "../diagnosis/kernel_tables/full_tables.ts";
import { type Check, type Finding, unclear } from "./check.ts";

export const kernelTables: Check = {
  name: "kernel-tables",
  well:
    "the kernel's tables have room: neighbours, connections, processes, inotify, …",
  asks: () => [askTables],
  read({ cluster, node }, [asked]) {
    const tables = asked && readTables(asked.outcome);
    if (tables === undefined) {
      return [unclear("how full the kernel's tables are", asked)];
    }
    // What is one for all machines of a lab is told of once.
    const [first] = cluster.nodes;
    const isTold = cluster.provider !== "lab" || node.name === first?.name;
    return fullTables(tables, cluster, node.name)
      .filter(({ table }) => isTold || !table.oneForAll)
      .map(({ is, cause: { what, evidence, remedies } }): Finding => ({
        is: is === "full" ? "fault" : "warning",
        ...{ what, evidence, remedies },
      }));
  },
};
