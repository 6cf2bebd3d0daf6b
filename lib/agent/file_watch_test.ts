// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { watchedPaths, watchFiles } from "./file_watch.ts";

Deno.test("a file that goes, comes or changes is told once, and so are a folder that is made anew and a setting", async () => {
  const root = await Deno.makeTempDir();
  const [list, program] = ["/etc/cni/net.d/x.conflist", "/opt/cni/bin/x"];
  const setting = "/proc/sys/net/x";
  const write = async (path: string, text: string) => {
    await Deno.mkdir(`${root}${path}`.replace(/\/[^/]*$/, ""), {
      recursive: true,
    });
    await Deno.writeTextFile(`${root}${path}`, text);
  };
  for (const path of [list, program, setting]) await write(path, "1");
  const told: string[] = [];
  const ending = new AbortController();
  let looks = 0;
  const watching = watchFiles({
    root() {
      looks++;
      return root;
    },
    paths: [list, program, setting],
    tell: (what) => told.push(what),
    signal: ending.signal,
    interval_ms: 1,
  });
  /** A look that began after now has ended. */
  const looked = async () => {
    const from = looks;
    while (looks < from + 2) await new Promise((go) => setTimeout(go, 1));
  };
  await looked();
  assertEquals(told, []);
  const changes: [change: () => Promise<void>, told: string][] = [
    [() => Deno.remove(`${root}${list}`), list],
    [() => write(list, "1"), list],
    [() => write(list, ""), list],
    [() => Deno.chmod(`${root}${program}`, 0o600), program],
    [() => Deno.remove(`${root}/opt`, { recursive: true }), program],
    [() => write(program, "1"), program],
    [() => write(setting, "0"), setting],
  ];
  for (const [change, path] of changes) {
    told.length = 0;
    await change();
    await looked();
    // A file is made and then written: a look may fall in between.
    assertEquals([...new Set(told)], [`${path} changed`]);
    await looked();
  }
  told.length = 0;
  await looked();
  assertEquals(told, []);
  ending.abort();
  await watching;
  await Deno.remove(root, { recursive: true });
});

Deno.test("what is watched is the configuration, the plugin's files, what is run at boot, and settings", () => {
  const file = { copy: "/x", to: "/opt/cni/bin/deno-cni", mode: "755" };
  assertEquals(watchedPaths(["06-forwarding"], [{ ...file, size_bytes: 1 }]), [
    "/etc/cni/net.d/10-deno-cni.conflist",
    "/opt/cni/bin/deno-cni",
    "/etc/deno-cni/boot.sh",
    "/etc/systemd/system/deno-cni.service",
    "/etc/deno-cni/boot.d/06-forwarding.sh",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/net/ipv6/conf/all/forwarding",
    "/proc/sys/net/bridge/bridge-nf-call-iptables",
    "/proc/sys/net/bridge/bridge-nf-call-ip6tables",
  ]);
});
