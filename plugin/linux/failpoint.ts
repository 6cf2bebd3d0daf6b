/**
 * Named points between two steps at which a test has the plugin die. Here they
 * do nothing, and the bundler leaves no trace of them. The tests' import map
 * (failpoint_testing.json) puts failpoint_testing.ts in this file's place.
 */

/** Passes a named point. */
export function point(_name: string): void {}
