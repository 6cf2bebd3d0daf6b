/** The version of this project, as `--version` of its scripts and of its plugin tells it. */
import { projectRoot } from "./project_root.ts";

/** The key `version` of deno.json. */
export function projectVersion(): string {
  const text = Deno.readTextFileSync(`${projectRoot}/deno.json`);
  return String(JSON.parse(text).version);
}
