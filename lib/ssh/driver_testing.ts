/**
 * Uses the ssh transport where a test cannot be itself: on the client's side
 * of an ssh lab. Reads a DriverRequest from standard input, prints a list of Answers.
 */
import type { Command, Outcome } from "../exec/command.ts";
import { CommandError } from "../exec/command.ts";
import { type Node, UnreachableError } from "../node/node.ts";
import { disconnect, sshNode } from "./node.ts";
import type { SshTarget } from "./protocol.ts";

/** What the driver is to do with a node, in order; calls of one list run side by side. */
export interface DriverRequest {
  readonly target: SshTarget;
  readonly stateDir: string;
  readonly calls: readonly (Call | readonly Call[])[];
}

export type Call =
  | {
    readonly run: Command;
    readonly options?: {
      readonly timeout_ms?: number;
      readonly env?: Readonly<Record<string, string>>;
      readonly cwd?: string;
    };
    /** Interrupt it after so many milliseconds. */
    readonly interrupt_ms?: number;
  }
  | { readonly copy: readonly [file: string, path: string, mode: string] }
  | { readonly enter: Command }
  | { readonly disconnect: true };

export type Answer =
  | { readonly outcome: Outcome }
  | { readonly entered: Command }
  | { readonly unreachable: string }
  | { readonly failed: string }
  | { readonly done: true };

async function answer(
  node: Node,
  request: DriverRequest,
  call: Call,
): Promise<Answer> {
  try {
    if ("disconnect" in call) {
      await disconnect(request.target, request);
      return { done: true };
    }
    if ("enter" in call) return { entered: node.enter(call.enter) };
    if ("copy" in call) {
      await node.copy(...call.copy);
      return { done: true };
    }
    const { interrupt_ms, options, run } = call;
    const signal = interrupt_ms === undefined
      ? {}
      : { signal: AbortSignal.timeout(interrupt_ms) };
    return { outcome: await node.run(run, { ...options, ...signal }) };
  } catch (error) {
    if (error instanceof UnreachableError) return { unreachable: error.reason };
    if (error instanceof CommandError) return { failed: error.message };
    throw error;
  }
}

if (import.meta.main) {
  const text = await new Response(Deno.stdin.readable).text();
  const request: DriverRequest = JSON.parse(text);
  const node = sshNode(request.target, request);
  const answers: Answer[] = [];
  for (const call of request.calls) {
    const calls = "length" in call ? call : [call];
    answers.push(
      ...await Promise.all(calls.map((call) => answer(node, request, call))),
    );
  }
  console.log(JSON.stringify(answers));
}
