// Runs the call, or the command that it is given, which lie beside this file.
(0, eval)(Deno.readTextFileSync(
  import.meta.dirname +
    (Deno.args.length === 0 ? "/deno-cni.js" : "/deno-cni-daemon.js"),
));
