/**
 * The list that GC comes with.
 */

import { wrong } from "./config_addresses.ts";
import { type JsonObject, listOf, object, read, shown, text } from "./json.ts";
import type { Owner } from "./protocol.ts";

/**
 * The attachments that GC leaves: SPEC.md, "GC"; the second key is that of early
 * drafts of 1.1.0. A Go runtime that knows of none sends null, its empty list.
 * @throws {CniError} 7, also where there is no list
 */
export function parseValidAttachments(config: JsonObject): Owner[] {
  const key = ["cni.dev/valid-attachments", "cni.dev/attachments"]
    .find((name) => Object.hasOwn(config, name));
  if (key === undefined) {
    throw wrong(
      "cni.dev/valid-attachments is missing",
      "GC removes everything that is not in that list; " +
        "an empty list says that nothing is valid",
    );
  }
  return (read(config, key, listOf(object)) ?? []).map((item, at) => {
    const path = `${key}[${at}]`;
    const containerID = read(item, "containerID", text, path);
    const ifname = read(item, "ifname", text, path);
    if (containerID !== undefined && ifname !== undefined) {
      return { containerID, ifname };
    }
    throw wrong(
      `${path} is ${shown(item)}`,
      "containerID and ifname are expected",
    );
  });
}
