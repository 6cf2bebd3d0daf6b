// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { SshTarget } from "./protocol.ts";
import { isStale, whyUnreachable } from "./failure.ts";

const target: SshTarget = { name: "worker-1", host: "10.0.1.11", user: "ann" };

/** What OpenSSH 9.2 and sudo 1.9.13 said, with the parts of the line that have to come of it. */
const recorded: readonly [
  name: string,
  said: string,
  code: number,
  parts: readonly string[],
][] = [
  [
    "no route",
    "ssh: connect to host 10.0.1.11 port 22: No route to host\r\n",
    255,
    ["no way to 10.0.1.11 (no route to host)", "switched on"],
  ],
  [
    "a refused connection",
    "ssh: connect to host 10.0.1.11 port 22: Connection refused\r\n",
    255,
    ["10.0.1.11 refuses connections", "no sshd"],
  ],
  [
    "silence",
    "ssh: connect to host 10.0.1.11 port 22: Connection timed out\r\n",
    255,
    ["10.0.1.11 does not answer", "firewall"],
  ],
  [
    "a name without an address",
    "ssh: Could not resolve hostname nowhere.invalid: Name or service not known\r\n",
    255,
    ["nowhere.invalid cannot be resolved (Name or service not known)"],
  ],
  [
    "a key that is not taken",
    "ann@10.0.1.11: Permission denied (publickey).\r\n",
    255,
    ["takes none of your keys for ann", "ssh-copy-id ann@10.0.1.11"],
  ],
  [
    "a password that is wanted",
    "ann@10.0.1.11: Permission denied (publickey,password).\r\n",
    255,
    ["wants a password for ann", "never types"],
  ],
  [
    "a key that is not there",
    "Warning: Identity file /nonexist not accessible: No such file or directory.\nann@10.0.1.11: Permission denied (publickey).\r\n",
    255,
    ["the key /nonexist cannot be read (No such file or directory)"],
  ],
  [
    "an unknown host key",
    "Host key verification failed.\r\n",
    255,
    ["host key is unknown", "fingerprint: ssh ann@10.0.1.11"],
  ],
  [
    "a changed host key",
    "@@@\r\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n@@@\r\n" +
    "Add correct host key in /root/my hosts to get rid of this message.\r\n" +
    "Offending ED25519 key in /root/my hosts:7\r\n  remove with:\r\n" +
    "Host key for 10.0.1.11 has changed and you have requested strict checking.\r\nHost key verification failed.\r\n",
    255,
    [
      "host key is not the known one (/root/my hosts, line 7)",
      "ssh-keygen -f '/root/my hosts' -R 10.0.1.11",
    ],
  ],
  [
    "sudo that wants a password",
    "sudo: unable to resolve host worker-1: Temporary failure in name resolution\nsudo: a password is required\n",
    1,
    ["sudo wants a password of ann", "NOPASSWD", "ssh.user: root"],
  ],
  [
    "no sudo, as dash says it",
    "deno-cni: 1: exec: sudo: not found\n",
    127,
    ["has no sudo"],
  ],
  [
    "no sudo, as bash says it",
    "bash: line 1: exec: sudo: not found\n",
    127,
    ["has no sudo"],
  ],
  [
    "an account without a shell",
    "This account is currently not available.\n",
    1,
    ["its login refuses", "another ssh.user"],
  ],
  [
    "too many keys",
    "Received disconnect from 10.0.1.11 port 22:2: Too many authentication failures\r\n",
    255,
    ["too many keys of your agent", "ssh.identityFile"],
  ],
  [
    "a connection that is closed",
    "kex_exchange_identification: Connection closed by remote host\r\nConnection closed by 10.0.1.11 port 22\r\n",
    255,
    ["closed the connection"],
  ],
  [
    "a configuration that is refused",
    "/root/.ssh/config: line 1: Bad configuration option: nonsense\r\n/root/.ssh/config: terminating, 1 bad configuration options\r\n",
    255,
    ["your ssh configuration is refused: /root/.ssh/config: line 1: Bad configuration option: nonsense"],
  ],
  [
    "a socket's path that is too long",
    "ControlPath too long ('/run/yyy' >= 108 bytes)\r\n",
    255,
    ["ControlPath too long", "XDG_RUNTIME_DIR"],
  ],
  [
    "something new",
    "ssh: the moon is down\r\n",
    255,
    ["fails and says: ssh: the moon is down", "try it yourself: ssh ann@"],
  ],
  [
    "a login shell that goes its own way",
    "fortune: cookie\n",
    3,
    ["runs nothing for this tool and says: fortune: cookie", "exit code 3"],
  ],
];

for (const [name, said, code, parts] of recorded) {
  Deno.test(`whyUnreachable() knows ${name}, in one line`, () => {
    const line = whyUnreachable(said, code, target);
    for (const part of parts) assertStringIncludes(line, part);
    assert(!/[\r\n]/.test(line), line);
  });
}

Deno.test("a changed host key is not taken for an unknown one, nor a port forgotten", () => {
  const line = whyUnreachable(
    "REMOTE HOST IDENTIFICATION HAS CHANGED!\r\nOffending key in /k:1\r\nHost key verification failed.\r\n",
    255,
    { ...target, port: 2222 },
  );
  assertStringIncludes(line, "ssh-keygen -R '[10.0.1.11]:2222'");
});

Deno.test("only what a left-open connection says makes a second try worth it", () => {
  assertEquals(
    [
      "mux_client_request_session: read from master failed: Broken pipe\r\n",
      "Control socket connect(/x): Connection refused\r\n",
      "ann@10.0.1.11: Permission denied (publickey).\r\n",
      "ssh: connect to host 10.0.1.11 port 22: Connection refused\r\n",
    ].map(isStale),
    [true, true, false, false],
  );
});
