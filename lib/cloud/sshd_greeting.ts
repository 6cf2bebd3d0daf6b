/** How long a connection and its first line may take. */
const timeout_ms = 4_000;

/**
 * Whether a server greets as an SSH server does: RFC 4253, section 4.2.
 *
 * @param address of the machine
 */
export async function greets(address: string, port = 22): Promise<boolean> {
  let connection: Deno.TcpConn | undefined;
  const abort = new AbortController();
  const timer = setTimeout(() => {
    abort.abort();
    connection?.close();
    connection = undefined;
  }, timeout_ms);
  try {
    connection = await Deno.connect({
      hostname: address,
      port,
      signal: abort.signal,
    });
    const buffer = new Uint8Array(255);
    const length = await connection.read(buffer) ?? 0;
    return new TextDecoder().decode(buffer.subarray(0, length))
      .startsWith("SSH-");
  } catch (error) {
    // Refused, unreachable, reset, timed out: it does not greet yet.
    if (error instanceof Error) return false;
    throw error;
  } finally {
    clearTimeout(timer);
    connection?.close();
  }
}
