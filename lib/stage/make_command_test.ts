/** Lines for the operator's shell, pasted into real ones. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { lookLine, shellLine } from "./make_command.ts";
import { nastyNames } from "../text/nasty_testing.ts";
import { isPrintable } from "../text/printable.ts";
import { projectRoot } from "../exec/project_root.ts";
import { run } from "../exec/run.ts";
import { cmd } from "../exec/command.ts";

const lab = { file: "config/lab.yaml" };

Deno.test("a command on a node is a line that runs it in a shell there", () => {
  assertEquals(
    shellLine("worker-1", cmd`ip link set dev ${"eth0"} up`, lab),
    'make shell NODE=worker-1 ARGS="-- ip link set dev eth0 up"',
  );
});

Deno.test("a look is a line for the operator's shell, with the cluster's own file, folder and names", () => {
  const dual = { file: "config/lab-dual.yaml" };
  const run = cmd`ip addr show br-pods`;
  assertEquals(
    lookLine({ on: "node", run }, "worker-2", dual),
    'make shell CLUSTER=config/lab-dual.yaml NODE=worker-2 ARGS="-- ip addr show br-pods"',
  );
  assertEquals(
    lookLine({ on: "node", pod: "shell" }, "worker-1", lab),
    "make shell NODE=worker-1 POD=shell",
  );
  const look = (path: string) =>
    lookLine({ on: "operator", run: cmd`cat ${path}` }, "worker-1", lab);
  assertEquals(look(`${projectRoot}/.state/lab/x`), "cat .state/lab/x");
  assertEquals(look("/my state/lab/x"), "cat '/my state/lab/x'");
});

/** As the Makefile hands a target's variables on: by a shell. */
const makefile = `CLUSTER ?= config/lab.yaml
shell:
\t@printf '%s\\0' $(CLUSTER) $(NODE) $(ARGS)
`;

Deno.test("what is pasted into bash or dash gives a program the very arguments, whatever they hold", async () => {
  const cwd = await Deno.makeTempDir();
  await Deno.writeTextFile(`${cwd}/Makefile`, makefile);
  const names = [...nastyNames, "100% !sure", "trailing\\", "#", "it's", ""];
  const lists = [...names.map((name) => [name]), names, ["!", "-d", "x"]];
  for (const file of ["config/lab.yaml", "my clusters/a$b.yaml"]) {
    for (const args of lists) {
      const line = shellLine("worker-1", cmd`echo ${args}`, { file });
      assert(isPrintable(line), JSON.stringify(line));
      for (const shell of ["bash", "dash"]) {
        const { stdout, stderr } = await run(cmd`${shell} -c ${line}`, {
          cwd,
          env: { PATH: Deno.env.get("PATH") ?? "" },
        });
        const [which, node, dashes, ...argv] = stdout.split("\0").slice(0, -1);
        assertEquals([which, node, dashes], [file, "worker-1", "--"], stderr);
        // What a terminal would obey is spelt out, for a shell on the node.
        if (argv[0] !== "sh") {
          assertEquals(argv, ["echo", ...args], line);
        } else {
          const [, flag, script] = argv;
          assertEquals(flag, "-c");
          const again = await run(
            cmd`${shell} -c ${`echo() { printf '%s\\0' "$@"; }; ${script}`}`,
          );
          assertEquals(again.stdout.split("\0").slice(0, -1), args, line);
        }
      }
    }
  }
  await Deno.remove(cwd, { recursive: true });
});
