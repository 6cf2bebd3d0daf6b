/** The doctor's check of the plugin as a program: one that is there may yet not run. Pure. */
import { cmd } from "../exec/command.ts";
import { pluginFolder } from "../cni/runtime.ts";
import { evidence } from "../diagnosis/evidence.ts";
import { makeStage } from "../diagnosis/remedy.ts";
import { mark } from "../net/mark.ts";
import { type Check, shownBy, unclear } from "./check.ts";

/**
 * VERSION asks for nothing and changes nothing: SPEC.md, "VERSION". What the
 * launcher starts is looked at apart: while a daemon runs, it answers without.
 */
const script = `[ -x "$1" ] || exit 0
for file in $(head -c 4096 "$1" | grep -ao "$2/[A-Za-z0-9._/-]*"); do
  [ -e "$file" ] || echo "lacks $file"
done
echo '{"cniVersion":"1.0.0"}' | CNI_COMMAND=VERSION "$1"`;

/** What the launcher starts. */
const libraryFolder = pluginFolder.replace(/bin$/, "lib");

export const pluginRuns: Check = {
  name: "plugin-runs",
  well: "the plugin tells its version",
  asks: () => [{
    ...cmd`sh -c ${script} version ${`${pluginFolder}/${mark}`} ${libraryFolder}`,
    label: `CNI_COMMAND=VERSION ${pluginFolder}/${mark}`,
  }],
  read(context, [asked]) {
    const { host, node } = context;
    // That there is none is told by the check of programs.
    if (!host.plugins.includes(mark)) return [];
    if (asked === undefined || asked.outcome.ended !== undefined) {
      return [unclear("whether the plugin runs", asked)];
    }
    const { code, stdout } = asked.outcome;
    const [, lost] = /^lacks (.*)$/m.exec(stdout) ?? [];
    const answers = code === 0 && stdout.includes('"supportedVersions"');
    if (answers && lost === undefined) return [];
    const program = `${pluginFolder}/${mark}`;
    const effect = answers
      ? "its daemon makes the calls, and once that ends no pod can start or end"
      : "no pod can start or end";
    return [{
      is: "fault",
      what: lost === undefined
        ? `${program} is there and does not run: ${effect}`
        : `${lost}, which ${program} starts, is gone: ${effect}`,
      evidence: lost === undefined
        ? [evidence(asked)]
        : [shownBy(context, cmd`ls ${lost}`)],
      remedies: [makeStage("05-plugin", node.name)],
    }];
  },
};
