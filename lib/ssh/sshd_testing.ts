/**
 * What tests of ssh share: a real sshd on every node of a lab, and a client on
 * the lab's outside host, with a home of its own.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, type Command, succeeded, withInput } from "../exec/command.ts";
import { labNode, outsideName } from "../lab/lab.ts";
import { must, on } from "../lab/lab_testing.ts";
import { run } from "../exec/run.ts";

/** Where the client is, and what it has. */
export interface SshLab {
  readonly cluster: Cluster;
  /** The client's home, as this machine sees it; there, it is /root. */
  readonly home: string;
  /** The environment of programs on the client's side. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a command on the client's side. */
  client(command: Command, timeout_ms?: number): ReturnType<typeof run>;
}

/** Runs a test that needs a real sshd; skipped by a name that tells what it lacks. */
export function sshTest(name: string, body: () => Promise<void>): void {
  const programs = ["ssh", "sshd", "sudo"].filter((program) =>
    !["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/bin"]
      .some((folder) => exists(`${folder}/${program}`))
  );
  const lacks = [...(Deno.uid() === 0 ? [] : ["root"]), ...programs];
  const ignore = lacks.length > 0;
  const full = ignore ? `${name} (needs ${lacks.join(", ")})` : name;
  Deno.test({ name: full, ignore, fn: body });
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** The client's folder for control sockets and the like. */
export const runtimeDir = "/run/user";

/** Where a node's sshd has its files. */
export const sshdFolder = "/run/sshd-test";

/**
 * Starts an sshd on every node of a lab that runs, and makes the outside host
 * the client: its key is allowed on every node as root, and it knows the nodes' host keys.
 *
 * @param folder of the test's own
 */
export async function startSshLab(
  cluster: Cluster,
  folder: string,
): Promise<SshLab> {
  const home = `${folder}/home`;
  await Deno.mkdir(`${home}/.ssh`, { recursive: true, mode: 0o700 });
  await Deno.chmod(home, 0o700);
  await must(
    cmd`ssh-keygen -q -t ed25519 -N ${""} -C test -f ${home}/.ssh/id_ed25519`,
  );
  const key = await Deno.readTextFile(`${home}/.ssh/id_ed25519.pub`);
  const known = await Promise.all(cluster.nodes.map(async (node) => {
    const hostKey = await startSshd(cluster, node.name, key);
    return `${node.address} ${hostKey}`;
  }));
  await Deno.writeTextFile(`${home}/.ssh/known_hosts`, known.join("\n") + "\n");
  const outside = labNode(cluster, outsideName);
  const cache = await must(cmd`${Deno.execPath()} info --json`);
  const { denoDir } = JSON.parse(cache.stdout) as { denoDir: string };
  await on(
    outside,
    `mkdir -p /run/deno-dir ${runtimeDir}
mount --bind ${denoDir} /run/deno-dir
mount --bind ${home} /root`,
  );
  const env = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/root",
    DENO_DIR: "/run/deno-dir",
    // The lab's own, which goes with it, sockets and all.
    XDG_RUNTIME_DIR: runtimeDir,
  };
  return {
    cluster,
    home,
    env,
    client: (command, timeout_ms = 60_000) =>
      outside.run(command, { env, timeout_ms }),
  };
}

/** Starts a node's sshd; gives its public host key. */
async function startSshd(
  cluster: Cluster,
  name: string,
  authorizedKey: string,
): Promise<string> {
  const node = cluster.nodes.find((node) => node.name === name);
  if (node === undefined) throw new TypeError(`no node ${name}`);
  const config = `ListenAddress ${node.address}
Port 22
HostKey ${sshdFolder}/host_key
PidFile ${sshdFolder}/pid
AuthorizedKeysFile ${sshdFolder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
`;
  const script = `mkdir -p ${sshdFolder} /run/sshd /run/root
mount --bind /run/root /root
cd ${sshdFolder}
cat >authorized_keys
ssh-keygen -q -t ed25519 -N '' -C ${name} -f host_key
printf '%s' '${config}' >config
/usr/sbin/sshd -f config -E log
cut -d' ' -f1,2 host_key.pub`;
  const outcome = await labNode(cluster, name).run(
    withInput(cmd`sh -euc ${script}`, authorizedKey),
  );
  if (succeeded(outcome)) return outcome.stdout.trim();
  throw new Error(`no sshd on ${name}: ${outcome.stderr}`);
}

/** Ends a node's sshd with all its sessions, and starts it again with more lines of configuration. */
export async function restartSshd(
  cluster: Cluster,
  name: string,
  lines = "",
): Promise<void> {
  await on(
    labNode(cluster, name),
    `cd ${sshdFolder}
old=$(cat pid)
kill "$old" $(pgrep -P "$old") 2>/dev/null
while kill -0 "$old" 2>/dev/null; do sleep 0.02; done
printf '%s\n' '${lines}' | cat - config >config.new
/usr/sbin/sshd -f config.new -E log
until [ -s pid ]; do sleep 0.02; done`,
  );
}
