/** The stages that change something, in their order: all but 09. */
import type { Stage } from "../lib/stage/stage.ts";
import { provision } from "./01-provision.ts";
import { kubeadm } from "./02-kubeadm.ts";
import { cniConfig } from "./03-cni-config.ts";
import { bridge } from "./04-bridge.ts";
import { plugin } from "./05-plugin.ts";
import { forwarding } from "./06-forwarding.ts";
import { masquerade } from "./07-masquerade.ts";
import { routes } from "./08-routes.ts";

export const stages: readonly Stage[] = [
  provision,
  kubeadm,
  cniConfig,
  bridge,
  plugin,
  forwarding,
  masquerade,
  routes,
];

/** The stages whose probes tell why a path is broken. */
export const probedStages: readonly Stage[] = [
  bridge,
  forwarding,
  masquerade,
  routes,
];
