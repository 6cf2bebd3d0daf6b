/**
 * Follows a kind of object: lists all of it, then watches ("Efficient detection of
 * changes" of Kubernetes' API concepts). What breaks is taken up again where it
 * was; only a resourceVersion that the server has forgotten (410) costs a list.
 */
import {
  type ApiClient,
  ApiError,
  ApiUnreachableError,
  type Limits,
  NoApiServerError,
  usualLimits,
} from "./client.ts";
import { AccessError } from "./access.ts";
import { backOff, pause } from "./back_off.ts";
import { jsonLines } from "./json_lines.ts";

/** What a follower tells. */
interface Followed<Item> {
  /** All that there is, after a list. */
  readonly all: (items: ReadonlyMap<string, Item>) => void;
  readonly changed: (name: string, item: Item) => void;
  readonly removed: (name: string) => void;
  /** Whether the server answers; told when that changes, and why it does not. */
  readonly reached: (why: string | undefined) => void;
}

/** What is followed, and how. */
interface FollowOptions<Item> {
  /** E.g. /api/v1/nodes. */
  readonly path: string;
  /** What is kept of an object. */
  readonly pick: (object: unknown) => Item;
  readonly signal: AbortSignal;
  readonly limits?: Limits;
  /** How many objects a page of a list holds. */
  readonly pageSize?: number;
  /** The first wait after a failure. */
  readonly firstWait_ms?: number;
}

/** The parts of objects, lists and events that following needs (meta/v1). */
interface Meta {
  readonly name?: string;
  readonly resourceVersion?: string;
  readonly continue?: string;
}

interface WithMeta {
  readonly metadata?: Meta;
}

interface List {
  readonly items: readonly (WithMeta | null)[];
  readonly metadata: Meta & { readonly resourceVersion: string };
}

interface WatchEvent {
  readonly type?: string;
  readonly object: WithMeta & {
    readonly code?: number;
    readonly message?: string;
  };
}

/** A server of 5,000 nodes gives pages of a megabyte or two with this. */
const usualPageSize = 100;

/** A watch that ends within this has told nothing of how the server is. */
const moment_ms = 1000;

/** Follows until the signal fires. */
export async function followObjects<Item>(
  client: ApiClient,
  tell: Followed<Item>,
  options: FollowOptions<Item>,
): Promise<void> {
  const { signal, firstWait_ms = 1000 } = options;
  const wait = backOff(firstWait_ms, 30_000);
  let version: string | undefined;
  let listed_ms = -Infinity;
  while (!signal.aborted) {
    try {
      if (version === undefined) {
        const { items, at } = await list(client, options);
        version = at;
        listed_ms = performance.now();
        tell.all(items);
        tell.reached(undefined);
      }
      version = await watch(client, tell, options, version, wait.reset);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.code === 410) {
        // What a list gave a moment ago is forgotten already: that is to be waited for.
        const isNew = performance.now() - listed_ms < moment_ms;
        const isFirst = version !== undefined && !isNew;
        version = undefined;
        if (isFirst) continue;
      } else if (error instanceof Resumable) version = error.version;
      const why = reasonOf(error);
      if (!(error instanceof Resumable) || !error.wasAnswered) {
        tell.reached(why);
      }
      const asked_ms = error instanceof ApiError ? error.after_ms : 0;
      await pause(Math.max(asked_ms, wait.next_ms()), signal);
    }
  }
}

/** A watch that broke off, and the version from which the next one goes on. */
class Resumable extends Error {
  constructor(
    message: string,
    readonly version: string,
    /** Whether the server had begun to answer. */
    readonly wasAnswered: boolean,
  ) {
    super(message);
  }
}

/** @throws what is no fault of the server or the way to it */
function reasonOf(error: unknown): string {
  const expected = error instanceof ApiError ||
    error instanceof ApiUnreachableError || error instanceof Resumable ||
    error instanceof AccessError;
  if (!expected) throw error;
  return error.message;
}

async function list<Item>(
  client: ApiClient,
  { path, pick, signal, pageSize = usualPageSize }: FollowOptions<Item>,
): Promise<{ items: Map<string, Item>; at: string }> {
  const items = new Map<string, Item>();
  let from = "";
  do {
    const query = new URLSearchParams({
      limit: `${pageSize}`,
      ...(from === "" ? {} : { continue: from }),
    });
    const page = asList(await client.json(`${path}?${query}`, { signal }));
    for (const object of page.items) {
      const name = object?.metadata?.name;
      if (name !== undefined) items.set(name, pick(object));
    }
    const { continue: next = "", resourceVersion } = page.metadata;
    if (next === "") return { items, at: resourceVersion };
    if (next === from) {
      throw new ApiUnreachableError(
        `${path}: the page continue=${next} leads to itself; expected it to lead to the ` +
          "next, as an API server's does",
      );
    }
    from = next;
  } while (!signal.aborted);
  throw new ApiUnreachableError("interrupted");
}

/**
 * What answers may be another than the API server. A list without objects would
 * mean that there are none.
 *
 * @throws {ApiUnreachableError}
 */
function asList(value: unknown): List {
  const { items, metadata } = (value ?? {}) as Partial<List>;
  const isList = Array.isArray(items) &&
    typeof metadata?.resourceVersion === "string" &&
    metadata.resourceVersion !== "";
  if (isList) return { items, metadata };
  throw new NoApiServerError(
    `the answer is no list of objects: ${said(value)}`,
  );
}

/** The head of what the server sent. */
function said(value: unknown): string {
  return JSON.stringify(value).slice(0, 80);
}

/**
 * Watches until the server ends it, which it does after some minutes.
 *
 * @returns the version to go on from
 * @throws {ApiError} 410 where the server has forgotten the version
 * @throws {Resumable} where the connection broke
 */
async function watch<Item>(
  client: ApiClient,
  tell: Followed<Item>,
  { path, pick, signal, limits = usualLimits }: FollowOptions<Item>,
  from: string,
  alive: () => void,
): Promise<string> {
  // Not all clients at one time.
  const timeout_s = Math.round(300 + Math.random() * 300);
  const query = new URLSearchParams({
    watch: "true",
    allowWatchBookmarks: "true",
    resourceVersion: from,
    timeoutSeconds: `${timeout_s}`,
  });
  const began_ms = performance.now();
  const isShort = () => performance.now() - began_ms < moment_ms;
  let version = from;
  let answered = false;
  try {
    const { body } = await client.open(`${path}?${query}`, { signal });
    answered = true;
    tell.reached(undefined);
    if (body === null) {
      throw new ApiUnreachableError(
        `${path}: the answer to a watch is empty; expected an object a line`,
      );
    }
    for await (const line of jsonLines(body, limits.silence_ms, signal)) {
      const { type, object } = asEvent(line);
      if (type === "ERROR") {
        throw new ApiError(object.code ?? 500, object.message ?? said(line));
      }
      version = object.metadata?.resourceVersion ?? version;
      if (!isShort()) alive();
      const name = object.metadata?.name;
      if (name === undefined || type === "BOOKMARK") continue;
      if (type === "DELETED") tell.removed(name);
      else tell.changed(name, pick(object));
    }
  } catch (error) {
    if (error instanceof ApiError) throw error;
    const wasAnswered = answered && !(error instanceof NoApiServerError);
    throw new Resumable(reasonOf(error), version, wasAnswered);
  }
  // A server that ends every watch at once is one to wait for.
  if (isShort()) {
    throw new Resumable("the watch ended at once", version, true);
  }
  alive();
  return version;
}

/** @throws {ApiUnreachableError} */
function asEvent(line: unknown): WatchEvent {
  const { type, object } = (line ?? {}) as Partial<WatchEvent>;
  if (typeof object === "object" && object !== null) {
    return { object, ...(type === undefined ? {} : { type }) };
  }
  throw new NoApiServerError(`a watch sends what is no event: ${said(line)}`);
}
