import type { SimulatorOptions } from "foundry-local-simulator";
import type { SourceText } from "../../src/documents/index.js";
import type { OpenedCompletion } from "../../src/jobs/completion-stream.js";
import type {
  CompletionState,
  ComposedParts,
  FoundryClient,
  RunEvent,
} from "../../src/jobs/index.js";

export const CHATTER = "talker-generic-cpu:1";
export const EMBEDDER = "embedder-generic-cpu:1";

export type Script = NonNullable<NonNullable<SimulatorOptions["models"]>[number]["script"]>;

/** Finds the secret in its prompt: in a part, and in the answers for the parts. */
export const finder: Script = (prompt) => {
  const secret = /secret is (\w+)/.exec(prompt.text)?.[1];
  return { text: secret === undefined ? "NOTHING" : `The secret is ${secret}.` };
};

export const textOf = (path: string, text: string, firstLine = 1): SourceText => ({
  path,
  text,
  firstLine,
});

/** Lines that all differ, one of them with a secret. */
export function linesWith(secret: string, at: number, count: number): string {
  const lines = Array.from({ length: count }, (_none, index) =>
    index + 1 === at ? secret : `Entry ${index + 1}: the weather of day ${index + 1} was as usual.`,
  );
  return `${lines.join("\n")}\n`;
}

/** Runs a composed completion to its end; the steps that it reports are in `steps`. */
export async function composed(
  client: FoundryClient,
  open: (parts: ComposedParts) => OpenedCompletion,
): Promise<{ readonly state: CompletionState; readonly steps: readonly string[] }> {
  const steps: string[] = [];
  const { state } = client.completions.begin({ prompt: "key" }, { open });
  const onEvent = (event: RunEvent): void => {
    if (event.type === "news") steps.push(event.news.message);
  };
  return { state: await client.completions.wait(state.id, { onEvent }), steps };
}
