/**
 * What the daemon counts, as Prometheus reads it. Source: "Exposition formats"
 * of Prometheus, text format 0.0.4.
 */

/** Upper bounds of the histogram, in seconds: from a quick ADD to a runtime's patience. */
const bounds_s = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 10];

interface Spread {
  /** How many calls took at most as long as the bound. */
  readonly within: number[];
  count: number;
  sum_s: number;
}

export interface Figures {
  readonly calls: Map<string, number>;
  readonly seconds: Map<string, Spread>;
  /** Calls that were left to processes of their own, by reason. */
  readonly givenBack: Map<string, number>;
  readonly start_s: number;
}

export function newFigures(start_s: number): Figures {
  return {
    calls: new Map(),
    seconds: new Map(),
    givenBack: new Map(),
    start_s,
  };
}

/** Counts a call. */
export function countCall(
  { calls, seconds }: Figures,
  command: string,
  code: number,
  took_ms: number,
): void {
  increase(calls, labelPairs({ command, code: `${code}` }));
  const key = labelPairs({ command });
  const spread = seconds.get(key) ??
    { within: bounds_s.map(() => 0), count: 0, sum_s: 0 };
  seconds.set(key, spread);
  const took_s = took_ms / 1000;
  for (const [at, bound_s] of bounds_s.entries()) {
    if (took_s <= bound_s) spread.within[at]!++;
  }
  spread.count++;
  spread.sum_s += took_s;
}

/** Counts a call that was given back. */
export function countGivenBack({ givenBack }: Figures, reason: string): void {
  increase(givenBack, labelPairs({ reason }));
}

function increase(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** `command="ADD",code="0"` */
export function labelPairs(values: Record<string, string>): string {
  return Object.entries(values).map(([key, value]) =>
    `${key}=${JSON.stringify(value)}`
  ).join(",");
}

/** One metric: its help, its type and its samples, each a suffix with its labels, and a value. */
export function metric(
  name: string,
  type: "counter" | "gauge" | "histogram",
  help: string,
  samples: Iterable<readonly [suffix: string, value: number]>,
): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
  for (const [suffix, value] of samples) {
    lines.push(`${name}${suffix} ${value}`);
  }
  return `${lines.join("\n")}\n`;
}

/** The counts as text. */
export function figuresText(
  { calls, seconds, givenBack, start_s }: Figures,
  memory_B: number,
): string {
  const counts = (of: Map<string, number>) =>
    [...of].map(([key, value]) => [`{${key}}`, value] as const);
  return [
    metric(
      "deno_cni_calls_total",
      "counter",
      "Calls that the daemon has made, by command and error code; 0 is success.",
      counts(calls),
    ),
    metric(
      "deno_cni_call_duration_seconds",
      "histogram",
      "Time from a call's arrival at the daemon to its answer.",
      [...seconds].flatMap(([key, spread]) => samplesOf(key, spread)),
    ),
    metric(
      "deno_cni_calls_given_back_total",
      "counter",
      "Calls that the daemon has left to a process of their own, by reason.",
      counts(givenBack),
    ),
    metric(
      "deno_cni_daemon_start_time_seconds",
      "gauge",
      "When the daemon was started, in seconds since 1970.",
      [["", start_s]],
    ),
    metric(
      "deno_cni_daemon_resident_memory_bytes",
      "gauge",
      "Memory that the daemon has in use.",
      [["", memory_B]],
    ),
  ].join("");
}

function samplesOf(
  key: string,
  { within, count, sum_s }: Spread,
): (readonly [string, number])[] {
  const buckets = bounds_s.map((bound_s, at) =>
    [`_bucket{${key},le="${bound_s}"}`, within[at]!] as const
  );
  return [
    ...buckets,
    [`_bucket{${key},le="+Inf"}`, count],
    [`_sum{${key}}`, sum_s],
    [`_count{${key}}`, count],
  ];
}
