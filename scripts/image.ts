#!/usr/bin/env -S deno run -A
/** Makes the image of the agent, an OCI archive in dist/: `make image`. */
import { usualExits } from "../lib/cli/exit_code.ts";
import { choice, type CommandLine, option } from "../lib/cli/flags.ts";
import { printNote, printText } from "../lib/cli/print.ts";
import { runScript } from "../lib/cli/script.ts";
import { projectRoot } from "../lib/exec/project_root.ts";
import { makeImage } from "../lib/image/make_image.ts";

const command = {
  name: "image",
  summary: "make the image of the agent, an OCI archive in dist/",
  text: [
    "Wants mmdebstrap, and buildah, podman or docker with buildx; no base image. The same " +
    "sources, packages and Deno give the same digest; SOURCE_DATE_EPOCH is the time in it.",
    "On a node: ctr -n k8s.io images import deno-cni-image-amd64.tar",
  ],
  flags: {
    name: option({
      name: "name",
      value: "NAME",
      does: "the image's name, without a tag",
      default: "localhost/deno-cni",
      expected: "a name without a tag, e.g. registry.example.org/deno-cni",
      read: (value) =>
        /^[a-z0-9]([a-z0-9._:/-]*[a-z0-9])?$/.test(value) &&
          !/:[^/]*$/.test(value)
          ? value
          : undefined,
    }),
    architecture: option({
      name: "arch",
      value: "NAME",
      does:
        "the nodes' processor, x86_64 or aarch64; this machine's where left out",
      ...choice("x86_64", "aarch64"),
    }),
    suite: option({
      name: "suite",
      value: "NAME",
      does: "the release of Debian; this machine's where left out",
      expected: "a release's name, e.g. bookworm",
      read: (value) => /^[a-z]+$/.test(value) ? value : undefined,
    }),
    builder: option({
      name: "builder",
      value: "NAME",
      does: "buildah, podman or docker; the first that works where left out",
      ...choice("buildah", "podman", "docker"),
    }),
  },
  exits: {
    done: usualExits.done,
    failed: "it cannot be made",
    usage: "wrong flags",
  },
} satisfies CommandLine;

await runScript(command, async ({ name, architecture, suite, builder }) => {
  const made = await makeImage({
    root: projectRoot,
    name,
    architecture: architecture ?? Deno.build.arch,
    ...(suite === undefined ? {} : { suite }),
    ...(builder === undefined ? {} : { builder }),
    tell: printNote,
  });
  const size = (made.size_bytes / 1e6).toFixed(1);
  printText(`${made.name} ${made.digest}`);
  printText(`${made.archive} (${size} MB)`);
  return 0;
});
