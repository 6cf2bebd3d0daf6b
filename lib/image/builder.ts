/** The programs that build an image of a Containerfile, and how each is asked to. */
import { cmd, type Command, succeeded } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import type { Architecture } from "../packaging/compiled.ts";
import { BuildError } from "../stage/errors.ts";
import { debianNames } from "./debian_root.ts";

/** What is built, of what. */
export interface Recipe {
  /** Where what the Containerfile copies lies. */
  readonly context: string;
  readonly containerfile: string;
  /** A folder for the builder's own store, thrown away afterwards. */
  readonly work: string;
  /** The OCI archive to write. */
  readonly archive: string;
  /** The image's name, with its tag. */
  readonly name: string;
  readonly version: string;
  /** The commit that it is made of; empty where it is not known. */
  readonly revision: string;
  readonly architecture: Architecture;
  /** Seconds since 1970: the time of every file in it, and its own. */
  readonly epoch_s: number;
}

export type BuilderName = "buildah" | "podman" | "docker";

interface Builder {
  /** Whether it works here. */
  readonly ask: Command;
  readonly commands: (recipe: Recipe) => readonly Command[];
}

/** What all of them are told. */
function words(recipe: Recipe): string[] {
  const { containerfile, version, revision, architecture } = recipe;
  return [
    `--platform=linux/${debianNames[architecture]}`,
    `--build-arg=VERSION=${version}`,
    `--build-arg=REVISION=${revision}`,
    `--file=${containerfile}`,
  ];
}

/** What buildah and podman are told: a store of the build's own, a layer each line, one time. */
function store({ work }: Recipe): string[] {
  return [
    `--root=${work}/store`,
    `--runroot=${work}/run`,
    "--storage-driver=vfs",
  ];
}

function layers({ epoch_s }: Recipe): string[] {
  return [
    "--layers",
    `--timestamp=${epoch_s}`,
    "--isolation=chroot",
    "--quiet",
  ];
}

/** By name, the one to be preferred first. */
export const builders: Readonly<Record<BuilderName, Builder>> = {
  buildah: {
    ask: cmd`buildah --version`,
    commands: (recipe) => {
      const { archive, name, context } = recipe;
      const from = ["buildah", ...store(recipe)];
      return [
        cmd`${from} build ${layers(recipe)} ${
          words(recipe)
        } --tag ${name} ${context}`,
        cmd`${from} push --quiet ${name} ${`oci-archive:${archive}:${name}`}`,
      ];
    },
  },
  podman: {
    ask: cmd`podman --version`,
    commands: (recipe) => {
      const { archive, name, context } = recipe;
      const from = ["podman", ...store(recipe)];
      return [
        cmd`${from} build ${layers(recipe)} ${
          words(recipe)
        } --tag ${name} ${context}`,
        cmd`${from} push --quiet ${name} ${`oci-archive:${archive}:${name}`}`,
      ];
    },
  },
  docker: {
    // Its classic builder writes no OCI archive.
    ask: cmd`docker buildx version`,
    commands: (recipe) => {
      const { archive, name, context, epoch_s } = recipe;
      const output =
        `--output=type=oci,name=${name},dest=${archive},rewrite-timestamp=true`;
      const epoch = `--build-arg=SOURCE_DATE_EPOCH=${epoch_s}`;
      const plain = ["--provenance=false", "--sbom=false", "--quiet"];
      return [
        cmd`docker buildx build ${plain} ${epoch} ${
          words(recipe)
        } ${output} ${context}`,
      ];
    },
  },
};

/**
 * The first builder that works here.
 *
 * @param wanted nothing else will do
 * @throws {BuildError} where there is none; it says how to get one
 */
export async function findBuilder(wanted?: BuilderName): Promise<Builder> {
  const names = Object.keys(builders) as BuilderName[];
  for (const name of wanted === undefined ? names : [wanted]) {
    const builder = builders[name];
    if (succeeded(await run(builder.ask))) return builder;
  }
  throw new BuildError(
    `${
      wanted ?? "buildah, podman, docker buildx"
    }: not found, or does not work: expected a ` +
      "builder of images. As root, run: apt-get install --no-install-recommends buildah",
  );
}
