/** What the tour and the exercises are made of; lib/ knows no stages, so scripts/ hand them in. */
import type { Stage } from "../stage/stage.ts";

/** The stages, and the way to the machines. */
export interface StageSet {
  /** All stages but 09, in their order. */
  readonly stages: readonly Stage[];
  /** The stages whose probes tell why a path is broken. */
  readonly probed: readonly Stage[];
}
