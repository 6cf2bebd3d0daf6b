// Runs a call by the text that the launcher names, or the daemon's command that it is given.
(0, eval)(Deno.readTextFileSync(
  import.meta.dirname + "/deno-cni-" +
    (Deno.args.length > 1 ? "daemon" : Deno.args[0]) + ".js",
));
