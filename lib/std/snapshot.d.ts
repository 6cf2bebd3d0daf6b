/** The part of the Deno standard library's `@std/testing/snapshot` that the tests use. */

/**
 * Throws unless `actual` is what the snapshot beside the test file holds;
 * `deno test -A FILE -- --update` writes it anew.
 */
export function assertSnapshot(
  context: Deno.TestContext,
  actual: unknown,
  msg?: string,
): Promise<void>;
