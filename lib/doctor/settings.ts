/** The doctor's checks of the settings that the kernel has for each interface. Pure. */
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  type OneFamily,
  unclear,
} from "./check.ts";
import { askInterfaceSettings } from "../diagnosis/ask_settings.ts";
import type { SettingFacts, SettingFault } from "../diagnosis/setting_fault.ts";
import { settingFaults } from "../diagnosis/setting_faults.ts";
import {
  type InterfaceValues,
  readInterfaceValues,
  valueAt,
} from "../net/interface_settings.ts";

function factsOf(
  { host }: CheckContext,
  { node, family }: OneFamily,
  values: InterfaceValues,
): SettingFacts {
  return {
    node,
    values,
    links: host.links.filter(({ master, up }) => master === undefined && up)
      .map(({ name, addresses }) => ({
        name,
        addresses: addresses.map(({ address }) => address),
      })),
    routes: host.routes
      .filter((route) => route.family === family && route.type === undefined)
      .map(({ to, via, dev }) => ({
        dst: to,
        ...(via === undefined ? {} : { gateway: via }),
        ...(dev === undefined ? {} : { dev }),
      })),
  };
}

const interfaces: Check = {
  name: "interface-settings",
  well: "no setting of an interface on the pods' way loses packets",
  asks: () => [askInterfaceSettings],
  read(context, [asked]) {
    const values = readInterfaceValues(asked?.outcome.stdout ?? "");
    if (valueAt(values, 4, "forwarding", "all") === undefined) {
      return [unclear("how the interfaces are set", asked)];
    }
    return byFamily(context).flatMap((one) =>
      settingFaults(factsOf(context, one, values), context.cluster)
        .flatMap((fault) => findingOf(context, fault))
    );
  },
};

function findingOf(
  { host }: CheckContext,
  { isWarning, setting, what, evidence, remedies }: SettingFault,
): readonly Finding[] {
  // Until the stage has run this is as it has to be.
  if (setting === "forwarding" && !host.complete.includes("06-forwarding")) {
    return [{ is: "not yet", what, until: "06-forwarding" }];
  }
  return [{ is: isWarning ? "warning" : "fault", what, evidence, remedies }];
}

export const interfaceChecks: readonly Check[] = [interfaces];
