/** A table of the kernel's as data. */
import type { Command } from "../../exec/command.ts";
import type { Family } from "../../net/cidr.ts";

/** A table, how full it is, and what becomes of what finds no room in it. */
export interface KernelTable {
  /** What it is called in a sentence. */
  readonly name: string;
  /** What it is for: packets on their way, or the processes of a node. */
  readonly of: "packets" | "processes";
  /** The family whose packets need it; none: both. */
  readonly family?: Family;
  readonly used: number;
  readonly limit: number;
  /** How many of those that are used this node has put in, and the limit is not for. */
  readonly unbounded?: number;
  /** How often it had no room since it was made, where the kernel counts that. */
  readonly refused?: number;
  /** What happens where it is full. */
  readonly effect: string;
  /** Whether one is for all network namespaces, or each has its own. */
  readonly oneForAll: boolean;
  /** Whether its limit is set for the whole machine, though each namespace has its own table. */
  readonly setForAll?: boolean;
  /** What shows it, and what that printed of it. */
  readonly shownBy: Command;
  readonly printed: string;
  /** The setting's name, where it is one. */
  readonly setting?: string;
  /** The command that makes room for so many. */
  readonly widen?: (limit: number) => Command;
}
