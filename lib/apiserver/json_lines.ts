/** Objects of JSON, one a line, as they come: what a watch sends. */
import { ApiUnreachableError, NoApiServerError } from "./client.ts";
import { withLimit } from "./with_limit.ts";

/** Above this length it is no event of a Node, whose object etcd holds to 1.5 MB. */
const longestLine = 4 << 20;

/**
 * Reads a stream's lines.
 *
 * @param silence_ms ends it where nothing more comes for so long
 * @throws {ApiUnreachableError} where the connection breaks, is silent, or sends no JSON
 */
export async function* jsonLines(
  stream: ReadableStream<Uint8Array>,
  silence_ms: number,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  const stop = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  let rest = "";
  try {
    while (true) {
      const chunk = await withLimit(
        reader.read(),
        silence_ms,
        () =>
          new ApiUnreachableError(
            `the watch was silent for ${silence_ms / 1000} s`,
          ),
      );
      if (chunk.done) return;
      const text = rest + decoder.decode(chunk.value, { stream: true });
      const lines = text.split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > longestLine) {
        throw new ApiUnreachableError(
          `a watch sends ${rest.length} characters without an end of line; ` +
            `expected an object a line, of ${longestLine} at most`,
        );
      }
      for (const line of lines) {
        if (line.trim() !== "") yield parse(line);
      }
    }
  } catch (error) {
    if (error instanceof ApiUnreachableError || !(error instanceof Error)) {
      throw error;
    }
    throw new ApiUnreachableError(`the watch broke off: ${error.message}`);
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new NoApiServerError(
      `a watch sends what is no JSON: ${line.slice(0, 80)}`,
    );
  }
}
