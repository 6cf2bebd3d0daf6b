/** The leases that the plugin keeps on a node, once no pod of ours is left there. */
import { aliasPrefixes } from "../../plugin/veth.ts";
import { quote } from "../exec/command.ts";
import { mark } from "../net/mark.ts";

/** Where the plugin keeps leases, unless a configuration names another folder. */
const leaseFolder = "/run/deno-cni/networks";

const patterns = aliasPrefixes(mark)
  .map((prefix) => `-e ${quote(`\\    alias ${prefix}`)}`).join(" ");

/**
 * For a POSIX shell: removes our network's leases where no host veth of it is
 * left, and the folders that are empty then. A runtime that finds no plugin
 * says no DEL, so nothing else ever would.
 *
 * @param wait_s how long to wait for veths, which go some time after their pods
 */
export function removeLeases(wait_s = 0): string {
  return `left=${wait_s}
while veths=$(ip -o link show type veth) &&
  printf '%s\\n' "$veths" | grep -qF ${patterns} && [ "$left" -gt 0 ]; do
  left=$((left - 1)); sleep 1
done
if ip link show lo >/dev/null &&
  ! printf '%s\\n' "$veths" | grep -qF ${patterns}; then
  rm -rf ${leaseFolder}/${mark} ${leaseFolder}/.${mark}/${mark}
  rmdir ${leaseFolder}/.${mark} ${leaseFolder} ${
    leaseFolder.replace(/\/[^/]*$/, "")
  } 2>/dev/null || :
fi`;
}
