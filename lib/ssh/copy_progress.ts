/** Copies under way, as one line at the foot of a terminal. */

/** A copy under way. */
interface CopyProgress {
  /** So many bytes more have gone. */
  moved(bytes: number): void;
  end(): void;
}

interface Entry {
  readonly node: string;
  readonly size_bytes: number;
  moved_bytes: number;
}

const under_way = new Set<Entry>();
let drawn_ms = 0;

/** Follows a copy; shows it where standard error is a terminal. */
export function followProgress(
  node: string,
  file: string,
  size_bytes: number,
  now: () => number = Date.now,
): CopyProgress {
  const entry = { node, size_bytes, moved_bytes: 0 };
  const name = file.slice(file.lastIndexOf("/") + 1);
  under_way.add(entry);
  return {
    moved(bytes) {
      entry.moved_bytes += bytes;
      if (!Deno.stderr.isTerminal() || now() - drawn_ms < 100) return;
      drawn_ms = now();
      const line = progressLine(name, [...under_way], width());
      write(`\r\x1b[K${line}`);
    },
    end() {
      under_way.delete(entry);
      if (Deno.stderr.isTerminal()) write("\r\x1b[K");
    },
  };
}

/** The terminal's, less the cursor's place. */
function width(): number {
  return Deno.consoleSize().columns - 1;
}

/** The line: which file, and how far it has got on each node; cut where a terminal would wrap it. */
export function progressLine(
  name: string,
  entries: readonly Entry[],
  columns: number,
): string {
  const parts = entries.map(({ node, size_bytes, moved_bytes }) => {
    const share = size_bytes === 0 ? 1 : moved_bytes / size_bytes;
    return `${node} ${Math.floor(share * 100)}%`;
  });
  const all = entries.reduce((sum, { size_bytes }) => sum + size_bytes, 0);
  const line = `copying ${name} (${(all / 1e6).toFixed(0)} MB): ${
    parts.join(", ")
  }`;
  return line.length <= columns ? line : `${line.slice(0, columns - 1)}…`;
}

function write(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(text));
}
