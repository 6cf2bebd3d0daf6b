#!/usr/bin/env -S deno run -A
/** A page to work on the cluster: `make studio`. */
import { printNote, printText } from "../lib/cli/print.ts";
import {
  type CommandLine,
  type FlagsOf,
  option,
  switched,
} from "../lib/cli/flags.ts";
import { standard } from "../lib/cli/standard_flags.ts";
import { cmd } from "../lib/exec/command.ts";
import { projectRoot } from "../lib/exec/project_root.ts";
import { runScript } from "../lib/cli/script.ts";
import { type Access, openAccess } from "../lib/studio/access.ts";
import { pageAssets } from "../lib/studio/assets.ts";
import { openBrowser, tunnelLine } from "../lib/studio/browser.ts";
import { openStudio } from "../lib/studio/studio.ts";
import { probedStages, stages } from "./stages.ts";
import { exitCode, usualExits } from "../lib/cli/exit_code.ts";
import type { RunContext } from "../lib/stage/context.ts";
import { StepError } from "../lib/stage/errors.ts";
import type { Cluster } from "../lib/cluster/cluster.ts";
import { loadCluster } from "../lib/cluster/load.ts";
import { makeLine } from "../lib/cluster/make_line.ts";

const command = {
  name: "studio",
  summary: "a page to work on the cluster, in a browser",
  text: [
    "The picture of the cluster as it is, terminals on its nodes and in its " +
    "pods, its stages with what a run would do, what reaches what, traces that " +
    "walk over the picture, predictions, exercises, and the tour. The page is for " +
    "this machine alone: its first address holds a secret, and opens it once. It asks " +
    "nothing of any other machine. Enter prints a new address, Ctrl-C ends it.",
  ],
  examples: [
    ["make studio", "then: the button make up"],
    ['make studio ARGS="--port 0"', "any port that is free"],
    ['make studio ARGS="--no-browser"', "only prints the address"],
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
    noBrowser: switched(
      "no-browser",
      "open no browser, only print the address",
    ),
    ...standard("cluster", "timeout_ms"),
  },
  lacks: {
    flags: ["dry-run", "undo", "step"],
    because: "those are buttons of the page",
  },
  exits: {
    done: "ended by Ctrl-C",
    failed: "the port cannot be had",
    usage: usualExits.usage,
  },
} satisfies CommandLine;

type Flags = FlagsOf<typeof command.flags>;

async function main(flags: Flags): Promise<number> {
  // A file that is wrong is told now, not in the page.
  const { stateDir } = await loadCluster(flags.cluster, { ignoreFound: true });
  const abort = new AbortController();
  const context: RunContext = {
    timeout_ms: flags.timeout_ms,
    signal: abort.signal,
    stopping: () => abort.signal.aborted,
    tell: () => {},
  };
  const access = openAccess();
  const assets = await pageAssets();
  const { handler, close } = openStudio({
    file: flags.cluster,
    ...{ stages, probed: probedStages, context, access, assets },
    script: (name, args) =>
      cmd`${deno} ${projectRoot}/scripts/${name}.ts --cluster ${flags.cluster} ${args}`,
  });
  const server = serve(flags.port, handler, { file: flags.cluster });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, async () => {
      abort.abort();
      await close();
      await server.shutdown();
    });
  }
  const address = invite(access, server.addr.port);
  const tunnel = tunnelLine(Deno.env.toObject(), server.addr.port);
  if (tunnel !== undefined) {
    printNote(
      `On your own machine, so that its browser gets here:\n  ${tunnel}`,
    );
  } else if (!flags.noBrowser) await openBrowser(address, stateDir);
  printNote("Open it in a browser. Enter prints a new address, Ctrl-C ends it");
  if (Deno.stdin.isTerminal()) inviteOnEnter(access, server.addr.port);
  await server.finished;
  return exitCode.done;
}

const deno = [Deno.execPath(), "run", "-A", "--cached-only", "--frozen"];

/** Prints an address that opens the page once. */
function invite(access: Access, port: number): string {
  const address = `http://127.0.0.1:${port}/?secret=${access.renew()}`;
  printText(address);
  return address;
}

async function inviteOnEnter(access: Access, port: number): Promise<void> {
  for await (const _ of Deno.stdin.readable) invite(access, port);
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
          makeLine("studio", cluster, { ARGS: ["--port", "0"] })
        } takes any`,
    );
  }
}

await runScript(command, main);
