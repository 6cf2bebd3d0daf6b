/** The doctor's check of the journal, by which stages know what is theirs. Pure. */
import { cmd } from "../exec/command.ts";
import { type Check, shownBy } from "./check.ts";
import { journalPath } from "../node/node.ts";
import { onNode } from "../diagnosis/remedy.ts";

export const journalCheck: Check = {
  name: "journal",
  well: "the journal of what was done here can be read",
  read(context) {
    const { node, host } = context;
    if (host.journalFault === undefined) return [];
    const aside = cmd`mv ${journalPath} ${journalPath}.damaged`;
    return [{
      is: "fault",
      what: "its journal is damaged: no stage runs here, none can be taken " +
        "back, and what has yet to run is not known",
      evidence: [shownBy(context, cmd`head -c 200 ${journalPath}`)],
      // The stages find what is there by its marks, and write it down anew.
      remedies: [onNode(node.name, aside), { make: "up" }],
    }];
  },
};
