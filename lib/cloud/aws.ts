/** Stage 01 on AWS: terraform makes the machines, as config/terraform/aws/ describes them. */
import {
  addressScript,
  addressStep,
  condition,
  greetingStep,
  keyStep,
  machinesStep,
} from "./machines.ts";
import {
  readCaller,
  readPlan,
  readValidate,
  readVersion,
} from "./aws_answers.ts";
import { type Cluster } from "../cluster/cluster.ts";
import { hasBarePods } from "../cluster/tunnels.ts";
import type { AwsSettings } from "../cluster/schema_cloud.ts";
import { cmd, type Command, withInput } from "../exec/command.ts";
import { askPath, exitAbsent, write } from "../exec/shell_file.ts";
import { identityFile } from "../cluster/found_machines.ts";
import { fileIs, whereThere } from "../steps/file_probes.ts";
import type { Step } from "../stage/stage.ts";
import { projectRoot } from "../exec/project_root.ts";

const source = `${projectRoot}/config/terraform/aws`;

/** Milliseconds that making or removing the machines may take. */
const making_ms = 20 * 60_000;

/** The steps that make the machines, for the operator's machine. Pure. */
export function awsSteps(cluster: Cluster): Step[] {
  const aws = awsOf(cluster);
  const folder = `${cluster.stateDir}/terraform`;
  const addressFile = `${folder}/ssh_from.tfvars.json`;
  const terraform = terraformIn(folder);
  const backend = `-backend-config=path=${folder}/terraform.tfstate`;
  const inputs: Inputs = {
    path: `${folder}/cluster.tfvars.json`,
    content: JSON.stringify(variablesOf(cluster, aws), null, 2) + "\n",
    addressFile: aws.sshFrom === undefined ? addressFile : undefined,
  };
  return [
    condition(
      "terraform makes the machines",
      cmd`terraform version -json`,
      readVersion,
    ),
    condition(
      "AWS has to know whose account it is",
      cmd`aws sts get-caller-identity --output json`,
      readCaller,
    ),
    folderStep(folder),
    keyStep(cluster),
    ...(aws.sshFrom === undefined ? [addressStep(addressFile)] : []),
    variablesStep(inputs),
    {
      why: "terraform fetches what it needs to talk to AWS",
      doneWhen: {
        ask: terraform`validate -json -no-color`,
        read: readValidate,
      },
      run: terraform`init -input=false -no-color -reconfigure ${backend}`,
      timeout_ms: making_ms,
    },
    machinesOf(cluster, aws, folder, terraform, inputs),
    machinesStep(cluster, terraform`output -json -no-color`),
    ...cluster.nodes.map((node) => greetingStep(cluster, node)),
  ];
}

/** The settings of a cluster whose provider is aws; it has no others. */
export function awsOf({ aws, file }: Cluster): AwsSettings {
  if (aws === undefined) throw new TypeError(`${file} has no key aws`);
  return aws;
}

type Template = (
  pieces: TemplateStringsArray,
  ...values: readonly (string | readonly string[])[]
) => Command;

/**
 * Builds commands of terraform that keep what they write to themselves: its
 * state, which tells what there is, and the plan.
 */
function terraformIn(folder: string): Template {
  const data = `TF_DATA_DIR=${folder}/data`;
  const script = 'umask 077; exec terraform "$@"';
  return (pieces, ...values) => {
    const { argv } = cmd(pieces, ...values);
    return {
      ...cmd`env ${data} TF_IN_AUTOMATION=1 sh -c ${script} terraform -chdir=${source} ${argv}`,
      label: `terraform ${argv.join(" ")}`,
    };
  };
}

/** Only this user may read what terraform writes down. */
function folderStep(folder: string): Step {
  return {
    why: "A folder that nobody else may read, for what terraform writes down",
    key: "the folder of terraform",
    doneWhen: whereThere(
      askPath(folder, 'stat -c %a "$1"'),
      `what ${folder} is`,
      (text) => {
        const mode = text.trim();
        if (mode === "700") return { is: "present", ours: true };
        return {
          is: "different",
          found: `${folder} may be read by others (mode ${mode})`,
          remedy: `chmod 700 ${folder}`,
        };
      },
    ),
    run: cmd`mkdir -p -m 700 ${folder}`,
    undo: cmd`rm -rf ${folder}`,
  };
}

/** What terraform reads beside its configuration. */
interface Inputs {
  /** The file of variables, and what it has to hold. */
  readonly path: string;
  readonly content: string;
  /** The file that says from where the operator calls, where that is asked for. */
  readonly addressFile: string | undefined;
}

function variablesStep({ path, content }: Inputs): Step {
  return {
    why:
      "What config/terraform/aws/variables.tf asks for, from the cluster file",
    key: "the variables of terraform",
    doneWhen: fileIs(path, content, () => true),
    run: write(path, content, "600"),
    undo: cmd`rm -f ${path}`,
  };
}

/** The values for config/terraform/aws/variables.tf, but for `ssh_from` where it is asked for. */
function variablesOf(cluster: Cluster, aws: AwsSettings) {
  const { peers = [] } = cluster.bgp ?? {};
  return {
    name: cluster.name,
    region: aws.region,
    instance_type: aws.instanceType,
    ubuntu: aws.ubuntu,
    ...(aws.image === undefined ? {} : { image: aws.image }),
    disk_gb: aws.diskGB,
    vpc_cidr: aws.vpcCIDR,
    subnet_cidr: cluster.segmentCIDR,
    cluster_cidrs: cluster.clusterCIDRs,
    pods_bare: hasBarePods(cluster),
    bgp_peers: peers.map(({ address }) => address),
    public_key_file: `${identityFile(cluster)}.pub`,
    ...(aws.sshFrom === undefined ? {} : { ssh_from: aws.sshFrom }),
    nodes: Object.fromEntries(
      cluster.nodes.map(({ name, role, address }) => [name, { role, address }]),
    ),
  };
}

function machinesOf(
  cluster: Cluster,
  aws: AwsSettings,
  folder: string,
  terraform: Template,
  inputs: Inputs,
): Step {
  const { path, content, addressFile } = inputs;
  const plan = `${folder}/plan`;
  const files = addressFile === undefined ? [path] : [path, addressFile];
  const variables = files.map((file) => `-var-file=${file}`);
  const ask =
    terraform`plan -detailed-exitcode -input=false -no-color ${variables} -out=${plan}`;
  // In a dry run the files may still be those of an older cluster file, or address.
  const upToDate = `cmp -s - "$1" || ${exitAbsent}; ` +
    `[ -z "$2" ] || [ "$(sh "$3" ask "$2")" = same ] || ${exitAbsent}; ` +
    'shift 3; exec "$@"';
  const { name, nodes } = cluster;
  const many = nodes.length === 1 ? "one machine" : `${nodes.length} machines`;
  return {
    key: "the machines on AWS",
    why: `A network with ${many} in it (${aws.instanceType}, ${aws.region})`,
    doneWhen: {
      ask: {
        ...withInput(
          cmd`sh -c ${upToDate} plan ${path} ${
            addressFile ?? ""
          } ${addressScript} ${ask.argv}`,
          content,
        ),
        ...(ask.label === undefined ? {} : { label: ask.label }),
      },
      read: readPlan,
      prepares: {
        why: "What is missing, asked of AWS and written down as a plan",
        run: terraform`plan -input=false -no-color ${variables} -out=${plan}`,
      },
    },
    run: terraform`apply -input=false -no-color ${plan}`,
    undo: {
      cleanup:
        terraform`destroy -auto-approve -input=false -no-color ${variables}`,
    },
    timeout_ms: making_ms,
    consent: {
      apply:
        `change what the cluster ${name} has on AWS (${aws.region}), as planned above; ` +
        `machines cost money until --undo takes them back`,
      undo:
        `destroy all machines of the cluster ${name} on AWS (${aws.region}), and what ` +
        `is on their disks`,
    },
  };
}
