/** BIRD as a package: which versions do, and what is said where apt-get cannot install it. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import { birdInstalled } from "./bird_package.ts";

const step = birdInstalled({ provider: "ssh" });

Deno.test("BIRD 2 and later do; another one is refused, and nothing is put in its place", () => {
  const read = (code: number, stderr: string) =>
    step.doneWhen?.read({ code, stdout: "/usr/sbin/bird\n", stderr });
  // As Debian's packages of bookworm and trixie print it.
  for (const version of ["2.0.12", "3.1.0"]) {
    assertEquals(read(0, `BIRD version ${version}\n`), { is: "present" });
  }
  const old = read(0, "BIRD version 1.6.8\n");
  assertEquals(old?.is, "different");
  assertStringIncludes(JSON.stringify(old), "is BIRD 1.6.8, which does not");
  assertEquals(read(44, "")?.is, "absent");
  const none = birdInstalled({ provider: "lab" }).doneWhen
    ?.read({ code: 44, stdout: "", stderr: "" });
  assertStringIncludes(JSON.stringify(none), "apt-get install bird2");
  assertEquals(read(127, "sh: not found")?.is, "unknown");
});

/** What apt-get of Debian 12 said. */
interface Said {
  readonly update: string;
  readonly install: string;
  /** What is said to be done. */
  readonly means: string;
}

const unlocated = "E: Unable to locate package bird2";
const reads = "Reading package lists...";
const cases: readonly Said[] = [
  {
    update:
      `W: Failed to fetch http://deb.debian.org/debian/dists/bookworm/InRelease  Temporary failure resolving 'deb.debian.org'
W: Some index files failed to download. They have been ignored, or old ones used instead.`,
    install: unlocated,
    means: "let this machine reach the mirrors of its sources",
  },
  {
    update: reads,
    install: unlocated,
    means: "add a source that has bird2 (Debian's main, Ubuntu's universe)",
  },
  {
    update: reads,
    install:
      "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?",
    means: "another apt-get or dpkg is at work on this machine: let it end",
  },
  {
    update: reads,
    install: `The following packages will be REMOVED:
  bird
E: Packages need to be removed but remove is disabled.`,
    means: "remove what bird2 does not bear beside it",
  },
];

Deno.test("where apt-get cannot install it, its words come with what was tried, and what to do", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (const { update, install, means } of cases) {
      // Without --no-remove, apt-get takes another package away unasked.
      await Deno.writeTextFile(
        `${folder}/apt-get`,
        `#!/bin/sh
case " $* " in
*" --no-remove "*" update ") cat <<'EOF'
${update}
EOF
;;
*" --no-remove "*" install bird2 ") cat >&2 <<'EOF'
${install}
EOF
exit 100 ;;
*) exit 1 ;;
esac
`,
        { mode: 0o755 },
      );
      const { code, stderr } = await run(
        cmd`env ${`PATH=${folder}:${Deno.env.get("PATH")}`} ${
          "argv" in step.run ? step.run.argv : []
        }`,
      );
      assertEquals(code, 100, stderr);
      assertStringIncludes(stderr, install);
      assertStringIncludes(
        stderr,
        `tried: apt-get update, apt-get install bird2; ${means}`,
      );
      for (const line of update.split("\n")) {
        assertEquals(stderr.includes(line), line !== reads);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
