/**
 * The keys of a cluster file that say how ssh reaches its machines.
 * config/ssh.yaml tells the user.
 */
import {
  type Draft,
  mapping,
  optional,
  textValue,
  type Validator,
  wholeNumber,
} from "./validate.ts";
import type { Reading } from "./yaml.ts";

/** How ssh reaches a machine; what is left out is as ssh_config(5) has it. */
export interface SshSettings {
  readonly user?: string;
  readonly port?: number;
  /** The private key's file: absolute, or below `~`. */
  readonly identityFile?: string;
}

/** How ssh reaches one node. */
export interface NodeSshSettings extends SshSettings {
  /** An address, a host's name, or a `Host` of ssh_config(5); left out, the node's address. */
  readonly host?: string;
}

// A host or a user that begins with "-" would be a flag of ssh's.
const host = textValue(
  "an address, a host's name, or a Host of your ssh_config",
  (value) =>
    /^[A-Za-z0-9_:][A-Za-z0-9._:%-]*$/.test(value)
      ? undefined
      : "is neither an address nor a host's name",
);

const user = textValue(
  "a user's name, e.g. ubuntu",
  (value) =>
    /^[A-Za-z0-9_][A-Za-z0-9_.@\\-]*$/.test(value)
      ? undefined
      : "is not a user's name; expected letters, digits, _ . - and none but the first two in front",
);

const identityFile = textValue(
  "the path of a private key, e.g. ~/.ssh/id_ed25519",
  (value) =>
    !/^(?:~\/|\/)/.test(value)
      ? "is not an absolute path; expected one that begins with / or ~/"
      : value.endsWith(".pub")
      ? "is a public key; expected the private one, without .pub"
      : undefined,
);

const settings = {
  user: optional(user),
  port: optional(wholeNumber(1, 65535)),
  identityFile: optional(identityFile),
};

/** The key `ssh` of the cluster, for all its nodes. */
export const sshSettings: Validator<SshSettings> = mapping<SshSettings>(
  settings,
);

/** The key `ssh` of a node. */
export const nodeSshSettings: Validator<NodeSshSettings> = mapping<
  NodeSshSettings
>(
  { host: optional(host), ...settings },
);

/** Notes ssh settings of a cluster that is not reached by ssh. */
export function checkSsh(
  value: Draft<{
    provider: string;
    ssh?: SshSettings;
    nodes: { ssh?: NodeSshSettings }[];
  }>,
  reading: Reading,
): void {
  const { provider, ssh, nodes } = value;
  if (provider !== "lab" && provider !== "local") return;
  const wrong = (path: readonly (string | number)[]) =>
    reading.wrong(path, `provider: ${provider} is not reached by ssh`);
  if (ssh !== undefined) wrong(["ssh"]);
  for (const [at, node] of (nodes ?? []).entries()) {
    if (node?.ssh !== undefined) wrong(["nodes", at, "ssh"]);
  }
}
