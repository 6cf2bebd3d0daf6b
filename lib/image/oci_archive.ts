/**
 * An OCI archive (image-spec, image-layout.md) with one image: named, and the same for the
 * same image.
 */
import { cmd, CommandError, succeeded } from "../exec/command.ts";
import { writeWhole } from "../exec/atomic_file.ts";
import { run } from "../exec/run.ts";
import { BuildError } from "../stage/errors.ts";

/** What index.json of an archive says of its image. */
interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** What was written. */
export interface Packed {
  /** Of the image's manifest: sha256:… */
  readonly digest: string;
  readonly size_bytes: number;
}

/**
 * The index of an archive: with its name in the words of image-spec, and in those of
 * containerd, whose `ctr images import` else takes a date for a name.
 *
 * @param text index.json as the builder wrote it
 * @throws {BuildError} where it does not have exactly one image
 */
export function namedIndex(
  text: string,
  name: string,
  platform: { readonly os: "linux"; readonly architecture: string },
): { readonly text: string; readonly digest: string } {
  const { manifests }: { manifests?: Descriptor[] } = JSON.parse(text);
  const [image, another] = manifests ?? [];
  if (image === undefined || another !== undefined) {
    throw new BuildError(
      `Cannot name the image: index.json has ${
        manifests?.length ?? 0
      } of them, expected 1`,
    );
  }
  const { mediaType, digest, size } = image;
  const annotations = {
    "io.containerd.image.name": name,
    "org.opencontainers.image.ref.name": name.replace(/^.*:/, ""),
  };
  const manifest = { mediaType, digest, size, platform, annotations };
  return {
    text: JSON.stringify({ schemaVersion: 2, manifests: [manifest] }),
    digest,
  };
}

/**
 * Packs an archive anew: what a builder writes holds the time, and no name for containerd.
 *
 * @param made as the builder wrote it
 * @param work an empty folder
 * @param archive where it comes to lie, whole or not at all
 */
export async function packArchive(
  made: string,
  work: string,
  archive: string,
  name: string,
  architecture: string,
): Promise<Packed> {
  await must(`tar --extract --file ${made} --directory ${work}`.split(" "));
  const platform = { os: "linux", architecture } as const;
  const index = await Deno.readTextFile(`${work}/index.json`);
  const { text, digest } = namedIndex(index, name, platform);
  await writeWhole(`${work}/index.json`, text);
  const sorted = ["--sort=name", "--mtime=@0", "--format=ustar"];
  const nobody = ["--owner=0", "--group=0", "--numeric-owner"];
  const members = ["oci-layout", "index.json", "blobs"];
  await must([
    ..."tar --create".split(" "),
    ...sorted,
    ...nobody,
    "--mode=u+rwX,go+rX",
    `--file=${archive}.tmp`,
    `--directory=${work}`,
    ...members,
  ]);
  await Deno.rename(`${archive}.tmp`, archive);
  const { size } = await Deno.stat(archive);
  return { digest, size_bytes: size };
}

async function must(argv: readonly string[]): Promise<void> {
  const command = cmd`${argv}`;
  const outcome = await run(command, { timeout_ms: 300_000 });
  if (succeeded(outcome)) return;
  const why = "an archive of the image is the same for the same image";
  throw new CommandError("this machine", command, outcome, why);
}
