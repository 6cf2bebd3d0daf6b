/** What terraform and aws say, and what follows from it. */
import { saysAbsent } from "../exec/shell_file.ts";
import { readJson } from "./machines.ts";
import type { Outcome } from "../exec/command.ts";
import { unknown } from "../steps/probes.ts";
import type { Answer } from "../stage/stage.ts";

/** config/terraform/aws/versions.tf wants it. */
const leastTerraform = [1, 9] as const;

const terraformMissing =
  `terraform is missing on this machine: install ${leastTerraform.join(".")} ` +
  "or newer, https://developer.hashicorp.com/terraform/install";

/** `terraform version -json`. */
export function readVersion(outcome: Outcome): Answer {
  if (outcome.ended === "no such command") {
    return { is: "unknown", reason: terraformMissing };
  }
  const said = readJson(outcome.stdout) as
    | { terraform_version?: string }
    | undefined;
  const version = said?.terraform_version;
  if (outcome.code !== 0 || version === undefined) {
    return unknown(outcome, "which terraform this is");
  }
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [least, leastMinor] = leastTerraform;
  const fits = major > least || (major === least && minor >= leastMinor);
  if (fits) return { is: "present" };
  return {
    is: "unknown",
    reason: `terraform is ${version}; expected ${
      leastTerraform.join(".")
    } or newer`,
  };
}

/** `aws sts get-caller-identity` wants nothing but credentials. */
export function readCaller(outcome: Outcome): Answer {
  if (outcome.code === 0) return { is: "present" };
  return awsUnknown(outcome, "whose AWS account this is");
}

/** What to make of a command of `aws` that did not succeed. */
export function awsUnknown(outcome: Outcome, what: string): Answer {
  if (outcome.ended === "no such command") {
    return {
      is: "unknown",
      reason:
        "the command aws is missing on this machine: install it, https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
    };
  }
  const answer = unknown(outcome, what);
  const noCredentials =
    /credential|security token|ExpiredToken|InvalidClientTokenId|sso login/i;
  if (answer.is !== "unknown" || !noCredentials.test(outcome.stderr)) {
    return answer;
  }
  return {
    is: "unknown",
    reason: `${answer.reason}\nAWS wants credentials: aws configure, ` +
      "aws sso login, or AWS_PROFILE or AWS_ACCESS_KEY_ID in the environment",
  };
}

/** What `terraform` says where `terraform init` is still to be run. */
const uninitialised =
  /terraform init|[Mm]issing required provider|[Rr]equired plugins are not installed|Module not installed|no package for \S+ \S+ cached|Inconsistent dependency lock file/;

/** terraform's validate command: https://developer.hashicorp.com/terraform/cli/commands/validate, "JSON output format". */
export function readValidate(outcome: Outcome): Answer {
  const said = readJson(outcome.stdout) as
    | { valid?: boolean; diagnostics?: { summary: string; detail?: string }[] }
    | undefined;
  if (said?.valid === true) return { is: "present" };
  const mistakes = (said?.diagnostics ?? [])
    .map(({ summary, detail = "" }) => `${summary} ${detail}`.trim());
  if (mistakes.some((mistake) => uninitialised.test(mistake))) {
    return { is: "absent" };
  }
  return mistakes.length > 0
    ? { is: "unknown", reason: `config/terraform/aws: ${mistakes.join("\n")}` }
    : unknown(outcome, "whether terraform is initialised");
}

/** `terraform plan -detailed-exitcode`: 0 nothing to do, 2 something to do, 1 an error; absent where what it reads is still to be written. */
export function readPlan(outcome: Outcome): Answer {
  if (outcome.code === 0) return { is: "present", ours: true };
  if (outcome.code === 2) return { is: "absent", preview: outcome.stdout };
  if (saysAbsent(outcome)) return { is: "absent" };
  if (outcome.code === 1 && uninitialised.test(outcome.stderr)) {
    return { is: "absent" };
  }
  return awsUnknown(outcome, "what AWS has of this cluster");
}
