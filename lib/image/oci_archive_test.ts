// @ts-types="../std/assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { BuildError } from "../stage/errors.ts";
import { namedIndex } from "./oci_archive.ts";

const digest = `sha256:${"25d8".repeat(16)}`;
// As buildah 1.28 writes it.
const written = {
  schemaVersion: 2,
  manifests: [{
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest,
    size: 500,
    annotations: {
      "org.opencontainers.image.ref.name": "localhost/deno-cni:0.1.0",
    },
  }],
};
const platform = { os: "linux", architecture: "arm64" } as const;

Deno.test("an archive's image has the name that containerd takes it by, its tag and its processor", () => {
  const name = "registry.example.org:5000/deno-cni:0.1.0";
  const { text, digest: told } = namedIndex(
    JSON.stringify(written),
    name,
    platform,
  );
  assertEquals(told, digest);
  assertEquals(JSON.parse(text).manifests, [{
    ...written.manifests[0],
    platform,
    annotations: {
      "io.containerd.image.name": name,
      "org.opencontainers.image.ref.name": "0.1.0",
    },
  }]);
});

Deno.test("an archive of two images or of none is refused", () => {
  for (const manifests of [[], [...written.manifests, ...written.manifests]]) {
    assertThrows(
      () => namedIndex(JSON.stringify({ manifests }), "a:1", platform),
      BuildError,
      `has ${manifests.length} of them`,
    );
  }
});
