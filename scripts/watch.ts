#!/usr/bin/env -S deno run -A
/** A page that shows the cluster while stages run: `make watch`. */
import { printNote, printText } from "../lib/cli/print.ts";
import { reachOf } from "../lib/cli/connect.ts";
import { type CommandLine, type FlagsOf, option } from "../lib/cli/flags.ts";
import { standard } from "../lib/cli/standard_flags.ts";
import type { Cluster } from "../lib/cluster/cluster.ts";
import { ClusterFileError } from "../lib/cluster/yaml.ts";
import { CommandError } from "../lib/exec/command.ts";
import { type Inventory, inventory } from "../lib/inventory/inventory.ts";
import { runScript } from "../lib/cli/script.ts";
import { UnreachableError } from "../lib/node/node.ts";
import { drawSvg } from "../lib/picture/picture.ts";
import { pictureChanges } from "../lib/picture/diff.ts";
import { look, type Situation } from "../lib/verify/situation.ts";
import { verify } from "../lib/verify/verify.ts";
import { type PageState, watch } from "../lib/watch/server.ts";
import { type MatrixState, pageState } from "../lib/watch/page_state.ts";
import { probedStages, stages } from "./stages.ts";
import { exitCode, usualExits } from "../lib/cli/exit_code.ts";
import type { RunContext } from "../lib/stage/context.ts";
import { JournalError, StepError } from "../lib/stage/errors.ts";
import { makeLine } from "../lib/cluster/make_line.ts";
import { clusterStatus } from "../lib/status/status.ts";
import { loadCluster } from "../lib/cluster/load.ts";

const command = {
  name: "watch",
  summary: "a page that shows the cluster while stages run",
  text: [
    "The picture, the stages of each node and what reaches what, refreshed as " +
    "they change. The test pods of 09-verify are used where they are there; " +
    "nothing is started and nothing changed. The page is for this machine " +
    "alone, and asks nothing of any other. Ctrl-C ends it.",
  ],
  examples: [
    ["make watch", "then, in another terminal: make up"],
    ['make watch ARGS="--port 0"', "any port that is free"],
  ],
  flags: {
    port: option({
      name: "port",
      value: "NUMBER",
      does: "the port on 127.0.0.1",
      default: "8090",
      expected: "a number from 0 to 65535; 0 takes any that is free",
      read: (value) =>
        /^\d{1,5}$/.test(value) && Number(value) < 65536
          ? Number(value)
          : undefined,
    }),
    ...standard("cluster", "timeout_ms"),
  },
  lacks: {
    flags: ["dry-run", "undo", "step"],
    because: "the page changes nothing",
  },
  exits: {
    done: "ended by Ctrl-C",
    failed: "the port cannot be had",
    usage: usualExits.usage,
  },
} satisfies CommandLine;

type Flags = FlagsOf<typeof command.flags>;

/** Between two readings. */
const pause_ms = 700;

async function main(flags: Flags): Promise<number> {
  // A file that is wrong is told now, not in the page.
  await loadCluster(flags.cluster, { ignoreFound: true });
  const abort = new AbortController();
  const context: RunContext = {
    timeout_ms: flags.timeout_ms,
    signal: abort.signal,
    stopping: () => abort.signal.aborted,
    tell: () => {},
  };
  const { handler, end } = await watch(reader(flags, context), pause_ms);
  const server = serve(flags.port, handler, { file: flags.cluster });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      abort.abort();
      end();
      server.shutdown();
    });
  }
  printText(`http://127.0.0.1:${server.addr.port}/`);
  printNote("Open it in a browser; Ctrl-C ends it");
  await server.finished;
  return exitCode.done;
}

function serve(
  port: number,
  handler: Deno.ServeHandler,
  cluster: Pick<Cluster, "file">,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({
      hostname: "127.0.0.1",
      port,
      onListen: () => {},
    }, handler);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new StepError(
        `Port ${port} of 127.0.0.1 is for root alone\n` +
          "what to do: take one from 1024 on, 8090 say",
      );
    }
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new StepError(
      `Port ${port} of 127.0.0.1 is in use\n` +
        `what to do: end who uses it, or take another: ${
          makeLine("watch", cluster, { ARGS: ["--port", "0"] })
        } takes any`,
    );
  }
}

/** Reads the cluster time and again; what reaches what only when something has changed. */
function reader(flags: Flags, context: RunContext): () => Promise<PageState> {
  let before: Inventory | undefined;
  let last: Inventory | undefined;
  let news: readonly string[] = [];
  let seen: MatrixState = { is: "untried", why: "" };
  let shown: PageState | undefined;
  const readNow = async () => {
    // Stages find things out: the cluster is read anew each time.
    const cluster = await loaded(flags);
    const reach = reachOf(cluster);
    const [now, status] = await Promise.all([
      inventory(cluster, reach, context),
      clusterStatus(cluster, reach, stages, context),
    ]);
    if (last === undefined || !isSame(last, now)) {
      const found = last === undefined
        ? []
        : pictureChanges(last, now, cluster);
      if (found.length > 0) {
        news = found;
        // What is new stays marked until there is something newer.
        before = last;
      }
      last = now;
      seen = await tryPaths(cluster, context);
    }
    const picture = drawSvg(now, {
      cluster,
      ...(before === undefined ? {} : { before }),
    });
    shown = pageState({
      cluster,
      inventory: now,
      stages: status.stages,
      seen,
      picture,
      news,
    });
    return shown;
  };
  return async () => {
    try {
      return await readNow();
    } catch (error) {
      // The file may be edited while it is watched.
      if (!(error instanceof ClusterFileError) || shown === undefined) {
        throw error;
      }
      return { ...shown, problem: error.message };
    }
  };
}

function isSame(a: Inventory, b: Inventory): boolean {
  const text = (one: Inventory) => JSON.stringify({ ...one, at: "" });
  return text(a) === text(b);
}

/** The cluster as it is known; before 02, without what 02 finds out. */
async function loaded(flags: Flags): Promise<Cluster> {
  try {
    return await loadCluster(flags.cluster);
  } catch (error) {
    if (!(error instanceof ClusterFileError)) throw error;
    return await loadCluster(flags.cluster, { ignoreFound: true });
  }
}

/** Tries the paths between the test pods that are there. */
async function tryPaths(
  cluster: Cluster,
  context: RunContext,
): Promise<MatrixState> {
  try {
    const situation = await look(
      cluster,
      reachOf(cluster),
      context,
      undefined,
      { mayLack: true },
    );
    const selected = withPods(situation);
    if (selected.length === 0) {
      return {
        is: "untried",
        why: `No test pods: ${
          makeLine("09-verify", cluster)
        } starts them, from 05-plugin on`,
      };
    }
    const order = { selected, stages: probedStages, context };
    const { report, known } = await verify(situation, order);
    return { is: "tried", report, addresses: known };
  } catch (error) {
    if (
      error instanceof UnreachableError || error instanceof CommandError ||
      error instanceof StepError || error instanceof JournalError
    ) return { is: "untried", why: `Not tried: ${error.message}` };
    throw error;
  }
}

/**
 * The nodes whose pods all run, so that trying their paths starts nothing; none
 * unless every server answers.
 */
function withPods({ sites, outside, kubernetes }: Situation): string[] {
  // There, 09 applies a manifest first: a page that only watches must not.
  if (kubernetes !== undefined) return [];
  const all = [...sites.values()];
  if (!all.every(({ survey }) => survey.serving)) return [];
  if (outside.is === "there" && !outside.serving) return [];
  return all.filter(({ survey: { pods } }) =>
    Object.values(pods).every((pod) => pod.is === "running" && pod.serving)
  ).map(({ node }) => node.name);
}

await runScript(command, main);
