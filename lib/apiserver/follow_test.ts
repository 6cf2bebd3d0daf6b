// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  type Behaviour,
  type TestApiServer,
  testApiServer,
  testNode,
} from "./api_server_testing.ts";
import { apiClient, type Limits } from "./client.ts";
import { followObjects } from "./follow.ts";

/** What a follower was told. */
interface Followed {
  readonly names: () => string[];
  /** Whether the server answers, each time that this was told. */
  readonly reached: (string | undefined)[];
  /** How many whole lists there were. */
  readonly lists: () => number;
  /** Waits until this holds. */
  until(holds: () => boolean): Promise<void>;
}

const generous: Limits = { answer_ms: 20_000, silence_ms: 20_000 };

async function following(
  body: (api: TestApiServer, followed: Followed) => Promise<void>,
  limits = generous,
  token?: () => Promise<string>,
): Promise<void> {
  await using api = testApiServer();
  api.put(testNode("one", "10.0.1.1", "10.244.1.0/24"));
  api.put(testNode("two", "10.0.1.2", "10.244.2.0/24"));
  api.put(testNode("three", "10.0.1.3", "10.244.3.0/24"));
  using client = apiClient(
    { server: api.url, ...(token === undefined ? {} : { token }) },
    limits,
  );
  const ending = new AbortController();
  let names = new Set<string>();
  let lists = 0;
  const reached: (string | undefined)[] = [];
  const work = followObjects<string>(client, {
    all(items) {
      lists++;
      names = new Set(items.values());
    },
    changed: (name) => names.add(name),
    removed: (name) => names.delete(name),
    reached: (why) => reached.push(why),
  }, {
    path: "/api/v1/nodes",
    pick: (object) => (object as { metadata: { name: string } }).metadata.name,
    signal: ending.signal,
    limits,
    pageSize: 2,
    firstWait_ms: 1,
  });
  const followed: Followed = {
    names: () => [...names].toSorted(),
    reached,
    lists: () => lists,
    async until(holds) {
      while (!holds()) await new Promise((go) => setTimeout(go, 5));
    },
  };
  try {
    await followed.until(() => api.watches() === 1);
    await body(api, followed);
  } finally {
    api.behave("well");
    ending.abort();
    await work;
  }
}

/** Puts a Node, and waits until it is known. */
async function joins(
  api: TestApiServer,
  { until, names }: Followed,
  name: string,
): Promise<void> {
  api.put(testNode(name, "10.0.1.9", "10.244.9.0/24"));
  await until(() => names().includes(name));
}

Deno.test("a list comes in pages, and a watch goes on where it was", async () => {
  await following(async (api, followed) => {
    assertEquals(followed.names(), ["one", "three", "two"]);
    const [first, second, watch] = api.got;
    assertEquals(first?.query.get("limit"), "2");
    assertEquals(second?.query.get("continue"), "2");
    assertEquals(watch?.query.get("resourceVersion"), "103");
    assertEquals(watch?.query.get("allowWatchBookmarks"), "true");
    await joins(api, followed, "four");
    api.remove("one");
    await followed.until(() => !followed.names().includes("one"));
    assertEquals(followed.names(), ["four", "three", "two"]);
    assertEquals(api.got.length, 3);
  });
});

Deno.test("a watch that is cut in the middle of a line goes on without a list, and from the last bookmark", async () => {
  await following(async (api, followed) => {
    for (let at = 0; at < 5; at++) {
      await joins(api, followed, `joined-${at}`);
      api.cut();
      await followed.until(() => api.watches() === 1);
    }
    api.bookmark();
    await joins(api, followed, "last");
    assertEquals(followed.lists(), 1);
    const before = api.got.length;
    api.cut();
    await followed.until(() => api.got.length > before);
    assertEquals(api.got.at(-1)?.query.get("resourceVersion"), "110");
    assert(followed.reached.every((why) => why === undefined));
  });
});

Deno.test("a version that the server has forgotten costs one list, which has what was missed", async () => {
  await following(async (api, followed) => {
    api.behave("forgetful");
    api.cut();
    await followed.until(() => api.got.length > 5);
    api.remove("two");
    api.behave("well");
    await followed.until(() => followed.lists() > 1 && api.watches() === 1);
    assertEquals(followed.names(), ["one", "three"]);
  });
});

Deno.test("an event that comes a byte at a time is read", async () => {
  await following(async (api, followed) => {
    api.behave("slow");
    api.cut();
    await followed.until(() => api.watches() === 1);
    await joins(api, followed, "näher");
  });
});

const short: Limits = { answer_ms: 50, silence_ms: 50 };

Deno.test("a watch over a connection that is dead at its other end is begun again", async () => {
  await following(async (api, followed) => {
    api.behave("half-open");
    api.cut();
    await followed.until(() => api.got.length > 6);
    api.behave("well");
    await joins(api, followed, "four");
    assertEquals(followed.lists(), 1);
  }, short);
});

Deno.test("that a server does not answer is told, and that it does again", async () => {
  await following(async (api, followed) => {
    api.behave("silent");
    api.cut();
    await followed.until(() => followed.reached.at(-1) !== undefined);
    assertMatch(followed.reached.at(-1) ?? "", /no answer within 0.05 s/);
    api.behave("broken");
    await followed.until(() => /500/.test(followed.reached.at(-1) ?? ""));
    assertEquals(followed.names(), ["one", "three", "two"]);
    api.behave("well");
    await followed.until(() => followed.reached.at(-1) === undefined);
    assertEquals(followed.lists(), 1);
  }, short);
});

/** What is told while the server treats requests so; afterwards all is as before. */
async function toldWhile(
  how: Behaviour,
  { api, followed }: { api: TestApiServer; followed: Followed },
): Promise<string> {
  const before = followed.names();
  api.behave(how);
  api.cut();
  await followed.until(() => followed.reached.at(-1) !== undefined);
  const why = followed.reached.at(-1) ?? "";
  assertEquals(followed.names(), before);
  api.behave("well");
  await joins(api, followed, how.replaceAll(/\W/g, "-"));
  assertEquals(followed.reached.at(-1), undefined);
  return why;
}

Deno.test("what keeps it from the objects is told, and costs none that is known", async () => {
  await following(async (api, followed) => {
    const both = { api, followed };
    const forbidden = await toldWhile("forbidden", both);
    assertMatch(forbidden, /nodes is forbidden: User "one" cannot watch/);
    assertMatch(forbidden, /expected the ClusterRole to allow watch of nodes$/);
    assertMatch(await toldWhile("broken", both), /500: it is broken/);
    assertMatch(
      await toldWhile("another's", both),
      /the answer is text\/plain/,
    );
    assertMatch(await toldWhile("no list", both), /no event: \{"ok":true\}/);
    assertEquals(followed.lists(), 1);
  });
});

Deno.test("an answer that is no list is not taken for one without objects, nor a page that leads to itself", async () => {
  await following(async (api, followed) => {
    for (
      const [how, said] of [
        ["no list", /no list of objects: \{"ok":true\}/],
        ["another's", /the answer is text\/plain/],
        ["endless", /page continue=\S+ leads to itself/],
      ] as const
    ) {
      api.behave(how);
      api.forget(); // So a list is asked for.
      api.cut();
      await followed.until(() => said.test(followed.reached.at(-1) ?? ""));
      assertEquals(followed.names(), ["one", "three", "two"]);
      api.behave("well");
      await followed.until(() => api.watches() === 1);
    }
  });
});

Deno.test("a server that is too busy is left alone for as long as it says", async () => {
  await following(async (api, followed) => {
    api.behave("busy");
    api.cut();
    await followed.until(() => /429/.test(followed.reached.at(-1) ?? ""));
    const [before, at_ms] = [api.got.length, performance.now()];
    await followed.until(() => api.got.length > before);
    assert(performance.now() - at_ms > 900);
  });
});

Deno.test("a server that ends or refuses each watch at once is asked less and less often", async () => {
  for (const [how, each] of [["hasty", 1], ["forgetful", 2]] as const) {
    await following(async (api, followed) => {
      api.remove("two"); // What is left is one page.
      api.behave(how);
      api.cut();
      const [before, at_ms] = [api.got.length, performance.now()];
      await followed.until(() => api.got.length > before + 9 * each);
      // Waits of 1 ms, 2, 4 and so on, of which half is by chance.
      const took_ms = performance.now() - at_ms;
      assert(took_ms > 100, `${how}: ${took_ms} ms`);
    });
  }
});

Deno.test("a token that is renewed is taken at the next request", async () => {
  let token = "old";
  await following(
    async (api, followed) => {
      api.accept("new");
      api.cut();
      await followed.until(() => /401/.test(followed.reached.at(-1) ?? ""));
      assertMatch(followed.reached.at(-1) ?? "", /the token is none that/);
      token = "new";
      await followed.until(() => followed.reached.at(-1) === undefined);
      await joins(api, followed, "four");
      assertEquals(followed.lists(), 1);
      api.accept(undefined);
    },
    generous,
    () => Promise.resolve(token),
  );
});

Deno.test("a hundred objects that come at once cost no request", async () => {
  await following(async (api, followed) => {
    const before = api.got.length;
    for (let at = 0; at < 100; at++) {
      api.put(testNode(`n${at}`, "10.0.1.9", "10.244.9.0/24"));
    }
    await followed.until(() => followed.names().length === 103);
    assertEquals(api.got.length, before);
  });
});
