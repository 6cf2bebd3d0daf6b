/** The cluster file's schema as editors take it. Pure. */
import { schema } from "./schema.ts";
import type { JsonSchema } from "./validate.ts";

/**
 * The schema of a cluster file as JSON Schema (draft 2020-12), made of the one
 * by which the file is read. What several keys have to be together, and what
 * arithmetic says of addresses, is beyond it: `make check-config` knows that.
 */
export function clusterFileSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "A cluster file of deno-cni",
    ...schema.schema,
  };
}
