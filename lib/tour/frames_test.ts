/** What is said of a packet in a tunnel; as tcpdump 4.99 prints it. */
// @ts-types="../std/assert.d.ts"
import { assertStringIncludes } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { frameText } from "./frames.ts";

const printed =
  `11:50:09.737178 02:dc:43:c9:f0:d4 > 02:dc:a9:d9:3b:59, ethertype IPv4 (0x0800), length 148: \
10.0.1.11.33561 > 10.0.2.12.8472: VXLAN, flags [I] (0x08), vni 1
02:dc:e7:8d:34:8e > 02:dc:e6:8d:32:fb, ethertype IPv4 (0x0800), length 98: \
10.244.1.3 > 10.244.2.3: ICMP echo request, id 9110, seq 2, length 64
`;

const text = (code: number | undefined, stdout: string) =>
  frameText(
    cmd`tcpdump -l -nn`,
    { code, stdout },
    "worker-1/shell",
    "worker-1",
    "10.244.2.2",
  );

Deno.test("the frame within the frame is shown as tcpdump prints it, with what to see in it", () => {
  const said = text(0, printed);
  assertStringIncludes(said, "A ping from worker-1/shell to 10.244.2.2, as");
  assertStringIncludes(said, "vni 1");
  assertStringIncludes(said, "ICMP echo request");
  assertStringIncludes(
    said.replaceAll(/\s+/g, " "),
    "longer by the tunnel's headers: 50 bytes, of which Ethernet has 14, IP 20, UDP 8 and VXLAN 8.",
  );
});

Deno.test("without tcpdump it is said how to get it, and where nothing was heard that too", () => {
  assertStringIncludes(text(127, ""), "apt-get install tcpdump");
  assertStringIncludes(text(124, ""), "saw no packet of the tunnel");
});
