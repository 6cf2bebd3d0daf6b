/** The doctor's check of the journal, by which stages know what is theirs. Pure. */
import { quote } from "../exec/command.ts";
import { type Check, shownBy } from "./check.ts";
import { journalPath } from "../node/node.ts";
import { onNode } from "../diagnosis/faults.ts";

export const journalCheck: Check = {
  name: "journal",
  well: "the journal of what was done here can be read",
  read(context) {
    const { node, host } = context;
    if (host.journalFault === undefined) return [];
    const aside = `mv ${quote(journalPath)} ${quote(`${journalPath}.damaged`)}`;
    return [{
      is: "fault",
      what: "its journal is damaged: no stage runs here, none can be taken " +
        "back, and what has yet to run is not known",
      evidence: [shownBy(context, `head -c 200 ${quote(journalPath)}`)],
      // The stages find what is there by its marks, and write it down anew.
      mend: [onNode(node.name, aside), "make up"],
    }];
  },
};
