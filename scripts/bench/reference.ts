/** What the plugin is measured beside: the reference plugins, and a store full of leases. */
import { cmd, type Command } from "../../lib/exec/command.ts";
import { config } from "../../plugin/sandbox_testing.ts";

/** Debian's package containernetworking-plugins. */
export const referenceFolder = "/usr/lib/cni";

/** What the reference does where ours has its defaults. */
export const referenceConfig = {
  cniVersion: "1.0.0",
  name: "reference",
  type: "bridge",
  bridge: "reference0",
  isGateway: true,
  isDefaultGateway: true,
  ipam: {
    type: "host-local",
    ranges: [[{ subnet: "10.245.1.0/24" }]],
    dataDir: "/run/reference",
  },
};

/** A network with room for many leases. */
export const wideConfig = {
  ...config,
  name: "wide",
  bridge: "wide0",
  network: "10.0.0.0/8",
  subnet: "10.99.0.0/16",
};

/** Why the plugin cannot be measured beside the reference here; undefined where it can. */
export async function whyNoReference(): Promise<string | undefined> {
  if (Deno.uid() !== 0) return "it needs root";
  try {
    await Deno.stat(`${referenceFolder}/bridge`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return "the reference plugins are not installed (apt install containernetworking-plugins)";
  }
}

/** Where the leases of a network lie. */
export function storeFolder(network: string): string {
  return `/run/deno-cni/networks/${network}`;
}

/** Fills the store of a network like {@linkcode wideConfig}, from its first address on. */
export function fillStore(network: string, leases: number): Command {
  const taken = storeFolder(network);
  const fill = `mkdir -p ${taken} && cd ${taken} &&
    awk -v n=${leases} 'BEGIN { for (i = 2; i < n + 2; i++) {
      file = sprintf("10.99.%d.%d", i / 256, i % 256)
      printf "taken%d\\r\\neth0", i > file; close(file) } }' &&
    printf 10.99.%d.%d ${Math.floor((leases + 1) / 256)} ${
    (leases + 1) % 256
  } > last_reserved_ip.0`;
  return cmd`sh -c ${fill}`;
}
