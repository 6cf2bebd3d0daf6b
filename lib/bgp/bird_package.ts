/** BIRD as a package of the system. */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { exitAbsent, saysAbsent } from "../exec/shell_file.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { unknown } from "../steps/probes.ts";
import type { Answer, Step } from "../stage/stage.ts";

/** Names the step that installs the package. */
export const birdPackage = "the package bird2";

/** Milliseconds that a package may take to be fetched and installed. */
const package_ms = 900_000;

const program = shellProgram("bird_package.sh", import.meta.url);

const ask = `command -v bird && command -v birdc && exec bird --version
command -v apt-get >/dev/null && ${exitAbsent}; exit 45`;

/** Of BIRD 1 the configuration was another language. */
const leastVersion = 2;

/** A lab's nodes have this machine's programs, and nothing is installed there. */
export function birdInstalled({ provider }: Pick<Cluster, "provider">): Step {
  const inLab = provider === "lab";
  return {
    key: birdPackage,
    ahead: true,
    why:
      "BIRD is a program that speaks BGP, by which routers tell each other " +
      "what they reach",
    doneWhen: {
      ask: { ...cmd`sh -c ${ask} ask`, label: "bird --version" },
      read(outcome) {
        const said = outcome.stdout + outcome.stderr;
        const [, version = "", major = "0"] =
          /^BIRD version ((\d+)\S*)/m.exec(said) ?? [];
        if (succeeded(outcome) && Number(major) >= leastVersion) {
          return { is: "present" };
        }
        if (version !== "") return anotherVersion(version);
        if (saysAbsent(outcome) && !inLab) return { is: "absent" };
        return saysAbsent(outcome) || outcome.code === 45
          ? {
            is: "different",
            found: `bird is not installed${inLab ? " on this machine" : ""}`,
            remedy: inLab
              ? "apt-get install bird2, and run this stage again"
              : "install BIRD 2 by the system's own means, and run this stage again",
          }
          : unknown(outcome, "whether bird is installed");
      },
    },
    run: { ...cmd`sh -c ${program} install`, label: "apt-get install bird2" },
    undo: {
      ...cmd`sh -c ${program} purge`,
      label: "apt-get purge bird2",
    },
    timeout_ms: package_ms,
  };
}

function anotherVersion(version: string): Answer {
  return {
    is: "different",
    found: `the bird that is installed is BIRD ${version}, which does not ` +
      `understand the configuration of BIRD ${leastVersion}`,
    remedy:
      "if nothing needs it, put the other one in its place (of Debian's " +
      "packages: apt-get install bird2, which takes bird away), and run this " +
      "stage again",
  };
}
