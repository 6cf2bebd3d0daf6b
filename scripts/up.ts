#!/usr/bin/env -S deno run -A
/** All nine stages in their order: `make up`. */
import { exitCode, flagsHelp } from "../lib/cli.ts";
import { dryRun, runScript, runStage, worstCode } from "../lib/main.ts";
import { failure, recap, runReport, stageLine } from "../lib/report.ts";
import { openSession } from "../lib/session.ts";
import { provision } from "./01-provision.ts";
import { kubeadm } from "./02-kubeadm.ts";
import { cniConfig } from "./03-cni-config.ts";
import { bridge } from "./04-bridge.ts";
import { plugin } from "./05-plugin.ts";
import { forwarding } from "./06-forwarding.ts";
import { masquerade } from "./07-masquerade.ts";
import { routes } from "./08-routes.ts";
import { verify } from "./09-verify.ts";

const stages = [
  provision,
  kubeadm,
  cniConfig,
  bridge,
  plugin,
  forwarding,
  masquerade,
  routes,
];
