/** The doctor's check of the plugin as a program: one that is there may yet not run. Pure. */
import { cmd } from "../exec/command.ts";
import { pluginFolder } from "../cni/runtime.ts";
import { evidence } from "../diagnosis/evidence.ts";
import { makeStage } from "../diagnosis/remedy.ts";
import { mark } from "../net/mark.ts";
import { type Check, unclear } from "./check.ts";

/** VERSION asks for nothing and changes nothing: SPEC.md, "VERSION". */
const script = `[ -x "$1" ] || exit 0
echo '{"cniVersion":"1.0.0"}' | CNI_COMMAND=VERSION "$1"`;

export const pluginRuns: Check = {
  name: "plugin-runs",
  well: "the plugin tells its version",
  asks: () => [{
    ...cmd`sh -c ${script} version ${`${pluginFolder}/${mark}`}`,
    label: `CNI_COMMAND=VERSION ${pluginFolder}/${mark}`,
  }],
  read({ host, node }, [asked]) {
    // That there is none is told by the check of programs.
    if (!host.plugins.includes(mark)) return [];
    if (asked === undefined || asked.outcome.ended !== undefined) {
      return [unclear("whether the plugin runs", asked)];
    }
    const { code, stdout } = asked.outcome;
    if (code === 0 && stdout.includes('"supportedVersions"')) return [];
    return [{
      is: "fault",
      what: `${pluginFolder}/${mark} is there and does not run: no pod can ` +
        "start or end",
      evidence: [evidence(asked)],
      remedies: [makeStage("05-plugin", node.name)],
    }];
  },
};
