/** Names of machines as values of a cluster file. */
import { textValue } from "./validate.ts";

/**
 * A subdomain of RFC 1123, as Kubernetes takes it for a Node: labels with dots between them.
 * Kubernetes labels each Node with its name, and a label's value has 63 characters at most.
 */
const domainForm =
  /^(?=.{1,63}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** A node's name. */
export const domainName = textValue(
  'a name of a-z, 0-9, "-" and "." inside, 63 characters at most, ' +
    "in quotes if it looks like a number",
  (value) =>
    domainForm.test(value)
      ? undefined
      : 'is not a name; expected a-z, 0-9, "-" and "." inside, 63 characters at most',
  domainForm,
);
