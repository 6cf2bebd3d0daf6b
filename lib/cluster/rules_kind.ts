/** Whether the settings of a kind of routes stand beside that kind. */
import type { Draft } from "./validate.ts";
import type { InFile } from "./schema.ts";
import { defaultRoutes } from "./schema_cloud.ts";
import type { Reading } from "./yaml.ts";

/**
 * Notes settings of a kind of routes that the file does not have.
 *
 * @param kind what routes are called, and their settings
 * @returns whether the routes are of another kind, or it is unknown of which
 */
export function checkKind(
  value: Draft<InFile>,
  kind: "vxlan" | "bgp",
  reading: Reading,
): boolean {
  const { routes, provider } = value;
  if (routes === kind) return false;
  // What is wrong in these has been told.
  const known = routes !== undefined ||
    !("routes" in value) && provider !== undefined;
  if (value[kind] === undefined || !known) return true;
  reading.wrong(
    [kind],
    `is for routes: ${kind}; this file has ${
      routes === undefined
        ? `no key routes, which means routes: ${
          defaultRoutes(provider ?? "lab")
        }`
        : `routes: ${routes}`
    }`,
  );
  return true;
}
