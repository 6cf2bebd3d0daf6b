/** What tests of real container runtimes share: what they need, and containers by `ctr` and podman on a lab's node. */
// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd, type Command, type Outcome } from "../../lib/exec/command.ts";
import { containerOn } from "../../lib/cni/containerd.ts";
import { rootfs } from "../../lib/lab/containerd_steps.ts";
import { labId } from "../../lib/lab/names.ts";
import type { TestLab } from "./lab_testing.ts";

const packages = {
  "containerd": "/usr/bin/containerd",
  "runc": "/usr/sbin/runc",
  "busybox-static": "/bin/busybox",
  "containernetworking-plugins": "/usr/lib/cni/portmap",
  "podman": "/usr/bin/podman",
} as const;

/** A Debian package that a test needs. */
export type Package = keyof typeof packages;

/** What a test lacks, as a part of its name; empty where nothing is lacking. */
export function needs(...names: readonly Package[]): string {
  const lacking = [
    ...(Deno.uid() === 0 ? [] : ["root"]),
    ...names.filter((name) => !exists(packages[name])),
  ];
  return lacking.length === 0 ? "" : ` (needs ${lacking.join(", ")})`;
}

/** A test that says by name what it needs, where that is not there. */
export function runtimeTest(
  name: string,
  packages: readonly Package[],
  fn: (context: Deno.TestContext) => Promise<void>,
): void {
  const lacking = needs(...packages);
  Deno.test({ name: `${name}${lacking}`, ignore: lacking !== "", fn });
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What a node has of its pods: links but its own, leases, rules of portmap, and containers' caches. */
export async function podTraces(lab: TestLab, node: string): Promise<string> {
  const script = 'ip -o link | grep -o "veth[^@:]*" | sort; ' +
    "for dir in /run/deno-cni/networks/* /run/leases/* /var/lib/cni/results; do " +
    '[ ! -d "$dir" ] || ls "$dir"; done | grep -v "^last_reserved_ip\\|^lock$"; ' +
    'iptables-save | grep -o "^-A .*\\(CNI-DN\\|dports\\).*"; :';
  return await lab.on(node, cmd`sh -c ${script}`);
}

/** A web server that answers with the address that it saw, as a container's program. */
export const serveSource = cmd`sh -c ${
  "mkdir -p /run/www/cgi-bin && cd /run/www/cgi-bin && " +
  `printf '#!/bin/sh\\nprintf "Content-Type: text/plain\\\\r\\\\n\\\\r\\\\n%%s" "$REMOTE_ADDR"\\n' >source && ` +
  "chmod 755 source && exec httpd -f -p 0.0.0.0:80 -h /run/www"
}`;

/** Asks such a server. */
export function ask(host: string): Command {
  return cmd`timeout 3 busybox wget -qO- http://${host}/cgi-bin/source`;
}

/** `ctr run` for a container from a plain folder, with a control group that no other lab has. */
export function ctrRun(
  lab: TestLab,
  node: string,
  id: string,
  program: Command,
  flags: readonly string[],
): Command {
  const { cgroup } = containerOn(`${labId(lab.cluster)}/${node}`, id);
  return cmd`ctr run ${flags} --cni --env=PATH=/bin --cgroup=${cgroup} --rootfs ${rootfs} ${id} ${program.argv}`;
}

/** Runs a container to its end; ctr calls ADD before and DEL afterwards. */
export async function once(
  lab: TestLab,
  node: string,
  id: string,
  script: string,
): Promise<string> {
  const program = cmd`sh -euc ${script}`;
  return (await lab.on(node, ctrRun(lab, node, id, program, ["--rm"]))).trim();
}

/** A container that runs while a test needs it. */
export interface Running {
  readonly address: string;
  /** Ends it; ctr then calls DEL, and has ended when this is back. */
  end(): Promise<void>;
}

/** Runs a web server as a container in the foreground of a ctr, and waits until it answers. */
export async function server(
  lab: TestLab,
  node: string,
  id: string,
): Promise<Running> {
  const run = ctrRun(lab, node, id, serveSource, ["--rm"]);
  const ended: Promise<Outcome> = lab.node(node).run(run, {
    timeout_ms: 60_000,
  });
  const script = "for _ in $(seq 100); do " +
    'if ctr tasks exec --exec-id="ask$_" "$1" wget -qO /dev/null http://127.0.0.1/cgi-bin/source 2>/dev/null; then ' +
    'exec ctr tasks exec --exec-id=address "$1" ip -o -4 addr show dev eth0; fi; ' +
    "sleep 0.05; done; exit 1";
  const listening = lab.node(node).run(cmd`sh -c ${script} wait ${id}`);
  const first = await Promise.race([ended, listening]);
  const address = /inet (\S+)\//.exec(first.stdout)?.[1];
  if (address === undefined) {
    throw new Error(
      `${id} on ${node} does not serve: ${JSON.stringify(first)}`,
    );
  }
  return {
    address,
    async end() {
      await lab.on(node, cmd`ctr tasks kill --signal SIGKILL ${id}`);
      // 137: killed, as a shell says it.
      assertEquals((await ended).code, 137, (await ended).stderr);
    },
  };
}

/** Ends a container in the background, or what is left of one that never began. */
export async function remove(
  lab: TestLab,
  node: string,
  id: string,
): Promise<void> {
  await lab.on(node, cmd`ctr tasks rm --force ${id}`);
  await lab.on(node, cmd`ctr containers rm ${id}`);
}
