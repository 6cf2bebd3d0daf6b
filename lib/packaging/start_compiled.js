// Both bundles of the plugin, of which one runs.
if (Deno.args.length === 0) {
  // @CALL@
} else {
  // @COMMAND@
}
