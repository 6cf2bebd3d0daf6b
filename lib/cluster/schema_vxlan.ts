/** The key `vxlan` of a cluster file. config/lab-two-segments.yaml tells the user. */
import {
  mapping,
  oneOf,
  optional,
  type Validator,
  wholeNumber,
  withDefault,
} from "./validate.ts";

/** How the tunnels are. */
export interface VxlanSettings {
  /** The VXLAN network identifier, which every frame in a tunnel bears. */
  readonly vni: number;
  /** The UDP port to which the nodes send each other the frames. */
  readonly port: number;
  /** Whether nodes of one segment do without a tunnel. */
  readonly direct: boolean;
  /**
   * What the ways between the nodes take; left out, 1500 bytes, on GCP 1460, and
   * in a lab its segments' least.
   */
  readonly mtu?: number;
}

/** The port of Linux (and flannel), older than the 4789 of RFC 7348. */
export const usualVxlan: VxlanSettings = { vni: 1, port: 8472, direct: true };

/** A VNI has 24 bits (RFC 7348, section 5). */
export const vxlanSettings: Validator<VxlanSettings> = mapping<VxlanSettings>({
  vni: withDefault(wholeNumber(1, 16_777_215), usualVxlan.vni),
  port: withDefault(wholeNumber(1, 65_535), usualVxlan.port),
  direct: withDefault(oneOf<boolean>(true, false), usualVxlan.direct),
  mtu: optional(wholeNumber(68, 65_535)),
});
