/** Reports of stage 09 as data, for tests of what is made of them. */
import { labCluster } from "../cluster/cluster_testing.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { expect, type StageProgress } from "./expected.ts";
import {
  type Addresses,
  allPaths,
  type Observed,
  type Path,
  sourcesOf,
} from "./matrix.ts";
import type { MatrixReport, PathReport } from "./matrix_report.ts";
import { matrixTable } from "./matrix_table.ts";
import { type StageName, stageNames } from "../stage/stage.ts";
import type { CauseReport } from "../diagnosis/cause.ts";

/** Two workers. */
export const lab = labCluster({ name: "lab", stateDir: "/nowhere" });

function addressesIn({ nodes }: Cluster): Addresses {
  const of = (last: number) =>
    new Map(nodes.map(({ name }, at) => [name, `10.244.${at}.${last}`]));
  return {
    nodes: new Map(nodes.map(({ name, address }) => [name, address])),
    gateways: of(1),
    callers: of(3),
  };
}

/** What a report has to say. */
export interface Change {
  readonly cluster?: Cluster;
  readonly last: StageName;
  /** Stages complete on some nodes, other than up to `last`. */
  readonly complete?: Readonly<Record<string, readonly StageName[]>>;
  /** What was seen of a path, where it was not what is expected. */
  readonly seen?: (path: Path) => Observed | undefined;
  readonly causes?: readonly CauseReport[];
  /** The number of the cause of a path; the first where left out. */
  readonly causeOf?: (path: Path) => number;
}

/** A report as reportOf() makes it; what was not expected is put down to the first cause. */
export function report(change: Change): [MatrixReport, Addresses] {
  const { last, seen = () => undefined, causes = [] } = change;
  const whole = change.cluster ?? lab;
  const addresses = addressesIn(whole);
  const upTo = stageNames.slice(0, stageNames.indexOf(last) + 1);
  const complete = Object.fromEntries(
    whole.nodes.map(({ name }) => [name, change.complete?.[name] ?? upTo]),
  );
  const progress: StageProgress = {
    complete: new Map(Object.entries(complete)),
    unfiltered: new Set(),
  };
  const workers = whole.nodes.filter(({ role }) => role === "worker");
  const paths = allPaths(whole, new Set(workers.map(({ name }) => name)))
    .map((path): PathReport => {
      const expected = expect(path, progress);
      const [source] = sourcesOf(path, expected, addresses);
      const other = seen(path);
      return {
        ...path,
        family: 4,
        expected,
        ...(source === undefined ? {} : { expectedSource: source }),
        observed: other ??
          (source === undefined
            ? { answer: "no", said: "no answer" }
            : { answer: "yes", source }),
        asExpected: other === undefined,
        ...(other === undefined ? {} : { cause: change.causeOf?.(path) ?? 1 }),
      };
    });
  return [{
    version: 1,
    cluster: whole.name,
    passed: causes.length === 0,
    complete,
    pods: workers.map(({ name }) => ({
      node: name,
      addresses: {},
      asExpected: true,
    })),
    paths,
    causes: causes.map((cause, at) => ({ number: at + 1, ...cause })),
    remarks: [],
    ...(last === "08-routes" ? {} : {
      next: stageNames[stageNames.indexOf(last) + 1] as StageName,
    }),
  }, addresses];
}

/** A lab of so many workers. */
export function labOf(workers: number): Cluster {
  const [master, worker] = lab.nodes;
  if (master === undefined || worker === undefined) {
    throw new TypeError("a lab without workers");
  }
  return {
    ...lab,
    nodes: [
      master,
      ...Array.from({ length: workers }, (_, at) => ({
        ...worker,
        name: `worker-${at + 1}`,
        address: `10.0.1.${at + 11}`,
      })),
    ],
  };
}

/** What stage 09 prints of it. */
export function text(
  change: Change,
  width = 80,
  more: Partial<Parameters<typeof matrixTable>[1]> = {},
): string {
  const [made, addresses] = report(change);
  return matrixTable(made, {
    cluster: change.cluster ?? lab,
    addresses: new Map([[4, addresses]]),
    width,
    ...more,
  });
}
