// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { alone, importsOf, together } from "./test_groups.ts";

Deno.test("quick tests are dealt to as many groups as there are jobs", () => {
  const dealt = together(["/a", "/b", "/c"], 2).map(({ files }) => files);
  assertEquals(dealt, [["/a", "/c"], ["/b"]]);
  assertEquals(together(["/a"], 3).map(({ files }) => files), [["/a"]]);
  assertEquals(together([], 3), []);
});

Deno.test("a file by itself is named from the project's folder on", () => {
  assertEquals(alone("/p/lib/a_test.ts", "/p").name, "lib/a_test.ts");
});

Deno.test("a group's program imports its files, whatever their paths hold", () => {
  assertEquals(
    importsOf(['/a "b".ts', "/c.ts"]),
    [
      'import "/a \\"b\\".ts";\n',
      'import "/c.ts";\n',
    ].join(""),
  );
});
