/** The lab from within a chroot, as schroot, mock and build daemons make one. */
// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { run } from "../../lib/exec/run.ts";
import { scriptCommand, testLab } from "./lab_testing.ts";

/**
 * A chroot of bind mounts, all in a mount namespace of its own. What is written
 * outside the chroot, the "machine's own disk", is caught by layers in a tmpfs
 * and listed at the end.
 */
const inChroot = `folder=$1; shift
mount -t tmpfs none "$folder"
mkdir "$folder/root"
mount --rbind / "$folder/root"
for path in etc opt var run; do
  mkdir -p "$folder/$path/upper" "$folder/$path/work"
  mount -t overlay -o "lowerdir=/$path,upperdir=$folder/$path/upper,workdir=$folder/$path/work" overlay "/$path"
done
code=0
chroot "$folder/root" sh -euc "$@" || code=$?
find "$folder"/*/upper ! -type d
exit "$code"`;

Deno.test({
  name: "in a chroot, what a node of the lab writes stays its own (needs root)",
  ignore: Deno.uid() !== 0,
}, async () => {
  await using lab = await testLab("t-chroot");
  const folder = await Deno.makeTempDir({ prefix: "deno-cni-chroot-" });
  const script = (name: string, ...args: string[]) =>
    scriptCommand(name, lab.file, ...args);
  const steps = [
    script("01-provision", "-q"),
    script("02-kubeadm", "-q"),
    script("03-cni-config", "-q"),
    script("shell", "--node", "worker-1", "--", "touch", "/opt/by-shell"),
    script("shell", "--node", "worker-1", "--", "ls", "/opt/by-shell"),
    script("shell", "--node", "worker-1", "--", "ls", "/etc/cni/net.d"),
    script("shell", "--node", "worker-2", "--", "ls", "/opt"),
    script("down", "-q"),
  ];
  try {
    // Deno adds arguments of its own after its executable's path.
    const deno = Deno.execPath();
    const lines = steps.map(({ argv: [, ...rest] }, at) => {
      const words = rest.map((word) => `'${word}'`).join(" ");
      return `echo "step ${at}"; "$1/$2" ${words} </dev/null`;
    });
    const { code, stdout, stderr } = await run(
      cmd`unshare --mount sh -euc ${inChroot} chroot ${folder} ${
        lines.join("\n")
      } inside ${deno.replace(/\/[^/]*$/, "")} ${deno.replace(/^.*\//, "")}`,
      { env: lab.env, timeout_ms: 120_000 },
    );
    assertEquals(code, 0, stderr + stdout);
    const left = stdout.split("\n").filter((line) => line.startsWith(folder));
    assertEquals(left, [], "written beside the chroot");
    const said = (at: number) =>
      stdout.split(`step ${at}\n`)[1]?.split("step ")[0];
    assertEquals(said(4), "/opt/by-shell\n");
    assertEquals(said(5), "10-deno-cni.conflist\n");
    assertEquals(said(6)?.includes("by-shell"), false);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
