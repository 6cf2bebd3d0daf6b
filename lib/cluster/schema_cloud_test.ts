// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ClusterFileError } from "./yaml.ts";
import { projectRoot } from "../exec/project_root.ts";
import { parseCluster } from "./load.ts";

const aws = await Deno.readTextFile(`${projectRoot}/config/aws.yaml`);
const gcp = await Deno.readTextFile(`${projectRoot}/config/gcp.yaml`);
const lab = await Deno.readTextFile(`${projectRoot}/config/lab.yaml`);

function parse(content: string) {
  return parseCluster(content, "c.yaml", "/state");
}

/** What is said of a file with a part changed, without the line. */
function mistakes(content: string, from: string, to: string): string[] {
  assert(content.includes(from), `no "${from}" in the cluster file`);
  const error = assertThrows(
    () => parse(content.replaceAll(from, to)),
    ClusterFileError,
  );
  return error.mistakes.map((line) => line.replace(/^c\.yaml:\d+: /, ""));
}

Deno.test("config/aws.yaml says what terraform shall make, and leaves the routes to AWS", () => {
  const { provider, routes, aws: settings, gcp, segmentCIDR } = parse(aws);
  assertEquals(
    { provider, routes, settings, gcp, segmentCIDR },
    {
      provider: "aws",
      routes: "aws",
      settings: {
        region: "eu-central-1",
        instanceType: "t3.small",
        ubuntu: "24.04",
        vpcCIDR: "10.0.0.0/16",
        diskGB: 20,
      },
      gcp: undefined,
      segmentCIDR: "10.0.1.0/24",
    },
  );
});

Deno.test("config/gcp.yaml says what gcloud shall make, and leaves the routes to GCP", () => {
  const { provider, routes, gcp: settings, aws } = parse(gcp);
  assertEquals(
    { provider, routes, settings, aws },
    {
      provider: "gcp",
      routes: "gcp",
      settings: {
        zone: "europe-west3-a",
        machineType: "e2-small",
        imageFamily: "ubuntu-2404-lts-amd64",
        diskGB: 20,
      },
      aws: undefined,
    },
  );
});

Deno.test("the routes are the provider's where the file does not say", () => {
  assertEquals(parse(aws.replace("routes: aws", "")).routes, "aws");
  assertEquals(parse(gcp.replace("routes: gcp", "")).routes, "gcp");
  assertEquals(parse(lab).routes, "host");
  assertEquals(
    parse(aws.replace("routes: aws", "routes: host")).routes,
    "host",
  );
});

Deno.test("routes that nobody would keep are refused", () => {
  assertEquals(mistakes(gcp, "routes: gcp", "routes: host"), [
    "routes: host does not work on GCP, where machines share no segment: its router takes every packet; expected gcp or vxlan",
  ]);
  assertEquals(mistakes(aws, "routes: aws", "routes: gcp"), [
    "routes: gcp is for machines of provider: gcp, not aws; expected aws, host, vxlan or bgp",
  ]);
  assertEquals(mistakes(lab, "provider: lab", "provider: lab\nroutes: aws"), [
    "routes: aws is for machines of provider: aws, not lab; expected host, vxlan or bgp",
  ]);
});

Deno.test("a cloud without its settings, and settings without their cloud, are refused", () => {
  const bare = aws.slice(0, aws.indexOf("\naws:")) +
    aws.slice(aws.indexOf("\nclusterCIDR"));
  assertEquals(mistakes(bare, "name: aws", "name: aws"), [
    "provider: aws wants the key aws, with at least its region: eu-central-1",
  ]);
  assertEquals(
    mistakes(lab, "name: lab", "name: lab\ngcp: {zone: europe-west3-a}"),
    [
      "gcp: this is for provider: gcp, not lab",
    ],
  );
  assertEquals(
    mistakes(aws, "region: eu-central-1", "")[0],
    "aws: the key region is missing; expected a text like eu-central-1, in quotes if it looks like a number",
  );
});

Deno.test("ssh that would be open to the whole internet is refused", () => {
  const from = "# sshFrom: [198.51.100.7/32]";
  assertEquals(mistakes(aws, from, "sshFrom: 0.0.0.0/0"), [
    "aws.sshFrom: 0.0.0.0/0 lets in whoever there is; expected the operator's own address, e.g. 198.51.100.7/32",
  ]);
  assertEquals(mistakes(gcp, from, 'sshFrom: ["2001:db8::1/128"]'), [
    "gcp.sshFrom[0]: 2001:db8::1/128 is IPv6; expected an IPv4 CIDR",
  ]);
  assertEquals(
    parse(aws.replace(from, "sshFrom: 198.51.100.7/32")).aws?.sshFrom,
    ["198.51.100.7/32"],
  );
});

Deno.test("addresses that the cloud keeps for itself are refused", () => {
  const said = (text: string, cloud: string, from: string, to: string) => [
    `nodes[1].address: ${text} is no address that a machine can have in 10.0.1.0/24; expected one from ${from} to ${to}, ${cloud} keeps the others`,
  ];
  for (const address of ["10.0.1.3", "10.0.1.255", "10.0.2.11"]) {
    assertEquals(
      mistakes(aws, "10.0.1.11", address),
      said(address, "aws", "10.0.1.4", "10.0.1.254"),
    );
  }
  for (const address of ["10.0.1.1", "10.0.1.254", "10.0.1.255"]) {
    assertEquals(
      mistakes(gcp, "10.0.1.11", address),
      said(address, "gcp", "10.0.1.2", "10.0.1.253"),
    );
  }
  assertEquals(
    parse(aws.replace("10.0.1.11", "10.0.1.4")).nodes[1]?.address,
    "10.0.1.4",
  );
  assertEquals(
    parse(gcp.replace("10.0.1.11", "10.0.1.2")).nodes[1]?.address,
    "10.0.1.2",
  );
});

Deno.test("ranges that overlap, or lie nowhere, are refused", () => {
  assertEquals(
    mistakes(aws, "clusterCIDR: 10.244.0.0/16", "clusterCIDR: 10.0.128.0/17"),
    [
      "clusterCIDR: 10.0.128.0/17 overlaps 10.0.0.0/16, the machines' own addresses; expected others for the pods",
    ],
  );
  assertEquals(mistakes(aws, "vpcCIDR: 10.0.0.0/16", "vpcCIDR: 10.1.0.0/16"), [
    "segmentCIDR: 10.0.1.0/24 does not lie in aws.vpcCIDR, 10.1.0.0/16",
  ]);
  assertEquals(
    mistakes(
      gcp,
      "clusterCIDR: 10.244.0.0/16",
      'clusterCIDR: [10.244.0.0/16, "fd00:10:244::/56"]',
    ).at(0),
    "clusterCIDR[1]: fd00:10:244::/56 is IPv6; on gcp expected IPv4 alone",
  );
});

Deno.test("names that GCP does not take are refused", () => {
  assertEquals(mistakes(gcp, "name: gcp", 'name: "1st"'), [
    "name: 1st begins with a digit; on gcp expected a letter",
  ]);
  assertEquals(
    mistakes(gcp, "name: gcp", `name: ${"a".repeat(51)}`)[0]?.slice(-72),
    "has 51 characters; expected 50 at most, since names on gcp begin with it",
  );
  assertEquals(mistakes(gcp, "name: worker-2", `name: ${"b".repeat(60)}`), [
    `nodes[2].name: gcp-${
      "b".repeat(60)
    } would be the machine's name, of 64 characters; expected 63 at most`,
  ]);
});

Deno.test("settings that a command line would take for something else are refused", () => {
  assertEquals(mistakes(aws, "region: eu-central-1", "region: --debug"), [
    'aws.region: --debug is not like eu-central-1; expected letters, digits, "-", "." and ":"',
  ]);
  assertEquals(
    mistakes(aws, 'ubuntu: "24.04"', "ubuntu: noble")[0],
    'aws.ubuntu: noble is not an Ubuntu release; expected one like "24.04"',
  );
  assertEquals(
    mistakes(aws, "# image: ami-0123456789abcdef0", "image: ubuntu")[0],
    "aws.image: ubuntu is not an image's id; expected one like ami-0123456789abcdef0",
  );
  assertEquals(
    mistakes(gcp, "zone: europe-west3-a", "zone: europe-west3")[0],
    "gcp.zone: europe-west3 is not a zone; expected one like europe-west3-a",
  );
});

Deno.test("a node of gcp has no dot in its name, which its machine has too", () => {
  const dotted = aws.replace("name: worker-1", "name: worker-1.example");
  assertEquals(parse(dotted).nodes[1]?.name, "worker-1.example");
  assertEquals(
    mistakes(gcp, "name: worker-1", "name: worker-1.example")
      .map((line) => line.replace(/^.*: nodes/, "nodes")),
    [
      "nodes[1].name: worker-1.example has a dot; expected none, since machines on gcp are named so",
    ],
  );
});
