/**
 * The set-up on machines that are folders: a copy of the script in a project
 * of its own, and a PATH with nothing on it but what a test puts there.
 */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, type Outcome } from "../exec/command.ts";
import { projectRoot } from "../exec/project_root.ts";
import { run } from "../exec/run.ts";

/** Programs that the script, and the programs of these machines, use. */
const basics = [
  "cat",
  "cp",
  "dirname",
  "env",
  "grep",
  "mkdir",
  "mv",
  "rm",
  "sh",
];

/** What lab nodes need, by Debian's package. */
const packages: Record<string, readonly string[]> = {
  iproute2: ["ip"],
  iptables: ["iptables"],
  "iputils-ping": ["ping"],
  "util-linux": ["unshare", "flock"],
  mount: ["mount"],
  hostname: ["hostname"],
  procps: ["ps"],
  "busybox-static": ["busybox"],
  nftables: ["nft"],
};

const lockFile = `{
  "version": "5",
  "specifiers": { "npm:plain@1": "1.2.3" },
  "npm": {
    "plain@1.2.3": {
      "integrity": "sha512-x",
      "dependencies": [
        "@scope/other"
      ]
    },
    "@scope/other@4.0.0-rc.1": {
      "integrity": "sha512-x"
    }
  }
}
`;
const cached = ["plain/1.2.3", "@scope/other/4.0.0-rc.1"];

/** A Deno that says its version, fetches packages, and otherwise what it was asked; exit code 7. */
function deno(version: string): string {
  return `case $1 in
--version) echo "deno ${version} (stable, release)" ;;
install)
  echo "deno $*" >>"$M/log"
  [ ! -e "$M/offline" ] || { echo "deno: no route" >&2; exit 1; }
  for package in ${cached.join(" ")}; do
    mkdir -p "\${DENO_DIR:-$HOME/.cache/deno}/npm/registry.example/$package"
  done ;;
*) echo "Deno ${version}: $*"; exit 7 ;;
esac`;
}

const aptGet = `echo "apt-get $*" >>"$M/log"
case " $* " in
*" update "*) rm -f "$M/stale"; exit ;;
esac
if [ -e "$M/stale" ]; then echo "E: Unable to locate package" >&2; exit 100; fi
for word; do
  if [ -d "$M/packages/$word" ]; then cp "$M/packages/$word/"* "$M/bin"; fi
done`;

const npm = `echo "npm $*" >>"$M/log"
[ ! -e "$M/offline" ] || { echo "npm: no route" >&2; exit 1; }
for last; do :; done
mkdir -p "$3/node_modules/\${last%@*}"
cp "$M/fetched-deno" "$3/node_modules/\${last%@*}/deno"`;

const curl = `echo "curl $*" >>"$M/log"
[ ! -e "$M/offline" ] || { echo "curl: no route" >&2; exit 1; }
while [ "$1" != -o ]; do shift; done
echo 'mkdir -p "$DENO_INSTALL/bin" && cp "$M/fetched-deno" "$DENO_INSTALL/bin/deno"' >"$2"`;

/** A computer, freshly installed, or with everything on it. */
interface Machine {
  readonly folder: string;
  has(program: string, script?: string): Promise<void>;
  lacks(...programs: string[]): Promise<void>;
  file(name: string, content?: string): Promise<void>;
  /** What was called to install something, a line each, since the last time. */
  log(): Promise<string>;
  setUp(what: string, env?: Record<string, string>): Promise<Outcome>;
}

async function withMachine(
  body: (machine: Machine) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "deno-cni-setup-" });
  const bin = `${folder}/bin`;
  const write = async (path: string, script: string) => {
    await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  };
  const machine: Machine = {
    folder,
    has: (program, script = ":") => write(`${bin}/${program}`, script),
    lacks: async (...programs) => {
      for (const program of programs) await Deno.remove(`${bin}/${program}`);
    },
    file: (name, content = "") =>
      Deno.writeTextFile(`${folder}/${name}`, content),
    log: async () => {
      const said = await Deno.readTextFile(`${folder}/log`);
      await Deno.writeTextFile(`${folder}/log`, "");
      return said;
    },
    setUp: (what, env = {}) =>
      run(cmd`/bin/sh ${folder}/project/lib/dev/setup.sh ${what} do it`, {
        env: { PATH: bin, HOME: `${folder}/home`, M: folder, ...env },
      }),
  };
  try {
    for (const name of ["bin", "home", "project/lib/dev"]) {
      await Deno.mkdir(`${folder}/${name}`, { recursive: true });
    }
    await Deno.copyFile(
      `${import.meta.dirname}/setup.sh`,
      `${folder}/project/lib/dev/setup.sh`,
    );
    await machine.file("project/deno.lock", lockFile);
    await machine.file("log");
    for (const name of basics) {
      await Deno.symlink(await whereIs(name), `${bin}/${name}`);
    }
    for (const [name, programs] of Object.entries(packages)) {
      for (const program of programs) {
        const script = program === "busybox" ? "echo httpd" : ":";
        await write(`${folder}/packages/${name}/${program}`, script);
        await machine.has(program, script);
      }
    }
    await machine.has("id", "echo 0");
    await machine.has("uname", "echo x86_64");
    await machine.has("apt-get", aptGet);
    await machine.has("npm", npm);
    await machine.has("curl", curl);
    await machine.has("unzip");
    await machine.has("deno", deno("2.9.6"));
    await write(`${folder}/fetched-deno`, deno("2.9.7"));
    await machine.setUp("deno"); // Fetches the packages of deno.lock.
    await machine.log();
    await body(machine);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function whereIs(program: string): Promise<string> {
  const { stdout } = await run(cmd`/bin/sh -c ${`command -v ${program}`}`);
  return stdout.trim();
}

function test(name: string, body: (machine: Machine) => Promise<void>): void {
  Deno.test(name, () => withMachine(body));
}

test("where nothing is missing the set-up says nothing, and Deno's exit code is its own", async (machine) => {
  const outcome = await machine.setUp("lab");
  assertEquals(outcome.stdout, "Deno 2.9.6: do it\n");
  assertEquals([outcome.code, outcome.stderr], [7, ""]);
  assertEquals(await machine.log(), "");
});

test("missing packages are named in one line, each once, and installed", async (machine) => {
  await machine.lacks("ip", "unshare", "flock", "ping");
  const outcome = await machine.setUp("lab");
  assertEquals(
    outcome.stderr,
    "Installing: iproute2 iputils-ping util-linux (apt-get)\n",
  );
  assertEquals(outcome.code, 7);
  const log = await machine.log();
  assertStringIncludes(log, "--no-install-recommends");
  assertStringIncludes(log, "install iproute2 iputils-ping util-linux\n");
  assertEquals((await machine.setUp("lab")).stderr, "");
});

test("lists of packages that are absent are fetched, once", async (machine) => {
  await machine.file("stale");
  await machine.lacks("ps");
  assertEquals((await machine.setUp("lab")).code, 7);
  const commands = (await machine.log()).trim().split("\n");
  assertEquals(
    commands.map((line) => line.includes("update")),
    [false, true, false],
  );
});

test("a busybox without a web server counts as missing", async (machine) => {
  await machine.has("busybox", "echo ls");
  const { stderr } = await machine.setUp("lab");
  assertEquals(stderr, "Installing: busybox-static (apt-get)\n");
});

test("who is not root installs with sudo", async (machine) => {
  await machine.lacks("ip");
  await machine.has("id", "echo 1000");
  await machine.has("sudo", '[ "$1" = -v ] || { echo sudo >>"$M/log"; "$@"; }');
  assertEquals((await machine.setUp("lab")).code, 7);
  assertStringIncludes(await machine.log(), "sudo\napt-get ");
});

test("neither root nor sudo: one line says what to run", async (machine) => {
  await machine.lacks("ip", "ps");
  await machine.has("id", "echo 1000");
  const expected =
    "Missing: iproute2 procps. As root, run: apt-get install --no-install-recommends iproute2 procps\n";
  for (const sudo of [undefined, "exit 1"]) {
    if (sudo !== undefined) await machine.has("sudo", sudo);
    const outcome = await machine.setUp("lab");
    assertEquals([outcome.code, outcome.stderr], [1, expected]);
  }
  assertEquals(await machine.log(), "");
});

test("a machine without apt-get is told what it lacks", async (machine) => {
  await machine.lacks("ip", "apt-get");
  const { code, stderr } = await machine.setUp("lab");
  assertEquals(code, 1);
  assertEquals(
    stderr,
    "Missing here, by the names of Debian's packages: iproute2. Install them, then run make again\n",
  );
});

test("what apt-get says is shown when it fails, with what to do", async (machine) => {
  await machine.lacks("ip");
  await machine.has("apt-get", 'echo "E: disk full" >&2; exit 100');
  const { code, stderr } = await machine.setUp("lab");
  assertEquals(code, 1);
  assertEquals(
    stderr,
    "Installing: iproute2 (apt-get)\nE: disk full\nCould not install iproute2. " +
      "To see why, as root run: apt-get update && apt-get install --no-install-recommends iproute2\n",
  );
});

test("a package that does not bring its program is no success", async (machine) => {
  await machine.lacks("ip");
  await machine.has("apt-get", ":");
  const { code, stderr } = await machine.setUp("lab");
  assertEquals(code, 1);
  assertStringIncludes(stderr, "not found on PATH: what iproute2 should bring");
});

test("without what only tests want, the set-up goes on and says so", async (machine) => {
  await machine.has("apt-get", "exit 100");
  const { code, stderr } = await machine.setUp("test");
  assertEquals(code, 7);
  assertStringIncludes(stderr, "Going on without: ");
  assertStringIncludes(stderr, "openssh-server");
});

test("a Deno on PATH is taken from 2.9 on, within major 2", async (machine) => {
  const cases: [version: string, taken: boolean][] = [
    ["2.9.0", true],
    ["2.10.3", true],
    ["2.8.9", false],
    ["1.46.0", false],
    ["3.0.0", false],
  ];
  for (const [version, taken] of cases) {
    await machine.has("deno", deno(version));
    const { stdout } = await machine.setUp("deno");
    assertEquals(stdout, `Deno ${taken ? version : "2.9.7"}: do it\n`);
  }
});

test("npm brings Deno into .tools for this processor, once, and again when it vanishes", async (machine) => {
  await machine.lacks("deno");
  for (const [processor, name] of [["x86_64", "x64"], ["aarch64", "arm64"]]) {
    await machine.has("uname", `echo ${processor}`);
    const first = await machine.setUp("deno");
    assertEquals(first.stdout, "Deno 2.9.7: do it\n");
    assertEquals(first.stderr, "Installing Deno into .tools (npm)\n");
    assertStringIncludes(await machine.log(), `@deno/linux-${name}-glibc@`);
    assertEquals((await machine.setUp("deno")).stderr, "");
    assertEquals(await machine.log(), "");
  }
  const tools = `${machine.folder}/project/.tools`;
  const left = Array.from(Deno.readDirSync(tools), ({ name }) => name);
  assertEquals(left, ["node_modules"]);
  await Deno.remove(`${tools}/node_modules/@deno/linux-arm64-glibc/deno`);
  assertEquals((await machine.setUp("deno")).stdout, "Deno 2.9.7: do it\n");
});

test("without npm, and where npm fails, the official installer brings Deno", async (machine) => {
  await machine.lacks("deno");
  await machine.has("npm", "echo 'npm: no registry' >&2; exit 1");
  const failing = await machine.setUp("deno");
  assertEquals(
    failing.stderr,
    "Installing Deno into .tools (npm)\nnpm: no registry\nInstalling Deno into .tools (its official installer)\n",
  );
  assertEquals(failing.stdout, "Deno 2.9.7: do it\n");
  await Deno.remove(`${machine.folder}/project/.tools`, { recursive: true });
  await machine.lacks("npm");
  const without = await machine.setUp("deno");
  assertEquals(
    without.stderr,
    "Installing Deno into .tools (its official installer)\n",
  );
  assertEquals((await machine.setUp("deno")).stderr, "");
});

test("a Deno that cannot be had is said, with what to do", async (machine) => {
  await machine.lacks("deno");
  await machine.file("offline");
  const { code, stderr } = await machine.setUp("deno");
  assertEquals(code, 1);
  for (const part of ["npm: no route", "curl: no route", "Put Deno 2.9"]) {
    assertStringIncludes(stderr, part);
  }
  await machine.has("uname", "echo riscv64");
  const other = await machine.setUp("deno");
  assertEquals([other.code, other.stderr], [
    1,
    "Deno is not made for riscv64: install Deno 2.9 or newer on PATH yourself\n",
  ]);
});

test("packages of the lock file that vanish are fetched again", async (machine) => {
  for (const name of cached) {
    const cache = `${machine.folder}/home/.cache/deno/npm/registry.example`;
    await Deno.remove(`${cache}/${name}`, { recursive: true });
    const { code, stderr } = await machine.setUp("deno");
    assertEquals([code, stderr], [7, "Fetching the packages of deno.json\n"]);
    assertEquals(await machine.log(), "deno install --frozen --quiet\n");
  }
  await Deno.remove(`${machine.folder}/home/.cache`, { recursive: true });
  await machine.file("offline");
  const { code, stderr } = await machine.setUp("deno");
  assertEquals(code, 1);
  assertStringIncludes(stderr, "deno: no route\nCould not fetch the packages");
});

test("without a home the cache is kept in .tools", async (machine) => {
  for (let time = 0; time < 2; time++) {
    const { code } = await machine.setUp("deno", { HOME: "" });
    assertEquals(code, 7);
  }
  assertEquals(await machine.log(), "deno install --frozen --quiet\n");
  const { isDirectory } = await Deno.stat(
    `${machine.folder}/project/.tools/cache/npm`,
  );
  assertEquals(isDirectory, true);
});

test("a purpose that is none is refused", async (machine) => {
  const { code, stderr } = await machine.setUp("dinner");
  assertEquals([code, stderr], [
    1,
    "setup.sh dinner: expected deno, lab, test or bench\n",
  ]);
});

Deno.test("README names every package that tests and benches install", async () => {
  const script = await Deno.readTextFile(`${projectRoot}/lib/dev/setup.sh`);
  const readme = await Deno.readTextFile(`${projectRoot}/README.md`);
  for (const list of ["test", "bench"]) {
    const items = new RegExp(`^${list}="([^"]+)"$`, "m").exec(script)?.[1];
    assert(items, `no list "${list}" in setup.sh`);
    for (const [, name = ""] of items.matchAll(/:(\S+)/g)) {
      assertStringIncludes(readme, name);
    }
  }
});
