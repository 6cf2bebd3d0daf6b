// @ts-types="../std/assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { ClusterFileError } from "./yaml.ts";
import { sshTarget } from "../ssh/node.ts";
import { projectRoot } from "../exec/project_root.ts";
import { loadCluster, parseCluster } from "./load.ts";

const file = (ssh: string, node = "", provider = "ssh") =>
  `name: c
provider: ${provider}
clusterCIDR: 10.244.0.0/16
${ssh}
nodes:
  - name: a
    role: control-plane
    address: 10.0.1.10
${node}
`;

function mistakes(text: string): readonly string[] {
  const { mistakes } = assertThrows(
    () => parseCluster(text, "c.yaml", "/state"),
    ClusterFileError,
  ) as ClusterFileError;
  return mistakes;
}

Deno.test("a node's ssh settings beat the cluster's, and its address is the host where none is named", () => {
  const cluster = parseCluster(
    file(
      "ssh: { user: ubuntu, port: 2222, identityFile: ~/.ssh/lab }",
      "    ssh: { user: root }\n  - { name: b, address: 10.0.1.11, ssh: { host: b.example.org } }",
    ),
    "c.yaml",
    "/state",
  );
  assertEquals(cluster.nodes.map((node) => sshTarget(cluster, node)), [{
    name: "a",
    host: "10.0.1.10",
    user: "root",
    port: 2222,
    identityFile: "~/.ssh/lab",
  }, {
    name: "b",
    host: "b.example.org",
    user: "ubuntu",
    port: 2222,
    identityFile: "~/.ssh/lab",
  }]);
});

Deno.test("what ssh would take for a flag, a relative key or a public one is refused", () => {
  assertEquals(
    mistakes(
      file(
        "ssh: { user: -oProxyCommand=x, port: 0, identityFile: id.pub }",
        "    ssh: { host: -l, identityFile: /keys/id.pub }",
      ),
    ),
    [
      'c.yaml:4: ssh.user: "-oProxyCommand=x" is not a user\'s name; expected letters, digits, _ . - and none but the first two in front',
      "c.yaml:4: ssh.port: 0 is not a whole number from 1 to 65535",
      "c.yaml:4: ssh.identityFile: id.pub is not an absolute path; expected one that begins with / or ~/",
      "c.yaml:9: nodes[0].ssh.host: -l is neither an address nor a host's name",
      "c.yaml:9: nodes[0].ssh.identityFile: /keys/id.pub is a public key; expected the private one, without .pub",
    ],
  );
});

Deno.test("ssh settings where ssh is not used are refused", () => {
  assertEquals(
    mistakes(
      file("ssh: { user: root }", "    ssh: { port: 22 }", "lab"),
    ),
    [
      "c.yaml:4: ssh: provider: lab is not reached by ssh",
      "c.yaml:9: nodes[0].ssh: provider: lab is not reached by ssh",
    ],
  );
});

Deno.test("config/ssh.yaml is right", async () => {
  const cluster = await loadCluster(`${projectRoot}/config/ssh.yaml`, {
    stateRoot: "/nowhere",
  });
  assertEquals(cluster.provider, "ssh");
  assertEquals(
    cluster.nodes.map((node) => sshTarget(cluster, node).host),
    ["master.example.org", "10.0.1.11", "10.0.1.12"],
  );
});
