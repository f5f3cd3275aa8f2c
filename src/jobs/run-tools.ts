import * as z from "zod";
import {
  type Completion,
  type CompletionMessage,
  type CompletionRequest,
  isTyped,
  type JsonSchema,
  jsonSchemaOf,
  parsedBy,
  type StandardSchema,
  type ToolCall,
} from "../foundry/index.js";
import { counted, parseArguments, throwIfAborted, truncate, untilAborted } from "../lib/index.js";

/** A tool that `FoundryClient.run` runs itself. */
export interface RunnableTool<T = unknown> {
  readonly name: string;
  /** For the model: what the tool does and when to call it. */
  readonly description?: string | undefined;
  /** The arguments: a schema of zod, or of another library with Standard JSON Schema, or a JSON Schema. */
  readonly schema: StandardSchema<T> | JsonSchema;
  /**
   * What it returns is given to the model: a string as it is, anything else as JSON. What it throws is given
   * to the model as words. More than 100,000 characters are cut off, which the model reads at their end.
   *
   * @param options `signal` is aborted with that of the request and by `close()`, until `client.run` has ended.
   */
  run(given: T, options: { readonly signal: AbortSignal | undefined }): unknown;
}

/**
 * The same tool, with the type of its arguments taken from its schema.
 *
 * @example
 * typedTool({ name: "weather", schema: z.object({ city: z.string() }), run: ({ city }) => weatherIn(city) });
 */
export const typedTool = <T>(
  tool: RunnableTool<T> & { readonly schema: StandardSchema<T> },
): RunnableTool<T> => tool;

/** A {@link CompletionRequest} with tools that are run. */
export type RunRequest = Omit<CompletionRequest, "tools" | "schema"> & {
  readonly tools: readonly RunnableTool[];
  /** Requests to the model at most, 1 to 100. The tools that the last one calls are not run. Default 8. */
  readonly maxRounds?: number | undefined;
};

/** `usage`, `timing` and `attempts` are those of the last request; `warnings` has those of all, each once. */
export interface RunResult extends Completion {
  /** The whole conversation, with the calls and results of tools. */
  readonly messages: readonly CompletionMessage[];
  /** Requests to the model. */
  readonly rounds: number;
}

const ROUNDS = "a whole number from 1 to 100";
const runArguments = z.object({
  maxRounds: z.int(ROUNDS).min(1, ROUNDS).max(100, ROUNDS).optional(),
  tools: z
    .array(
      z.object({
        name: z.string("a name"),
        description: z.string("a string").optional(),
        schema: z.custom(
          (value) => (typeof value === "object" && value !== null) || isTyped({ schema: value }),
          "a schema",
        ),
        run: z.custom((value) => typeof value === "function", "a function"),
      }),
      "a list of tools with name, schema and run",
    )
    .min(1, "at least one tool"),
});

const DEFAULT_ROUNDS = 8;
/** Of a result, so much is given to the model. */
const LONGEST_RESULT = 100_000;

/** Completes, runs the tools that the model calls, and gives it their results, until it answers. */
export async function runTools(
  complete: (request: CompletionRequest) => Promise<Completion>,
  request: RunRequest,
  signal: AbortSignal | undefined,
): Promise<RunResult> {
  parseArguments(runArguments, request);
  const { tools, maxRounds = DEFAULT_ROUNDS, prompt, messages: given, ...rest } = request;
  const definitions = tools.map(({ name, description, schema }) => ({
    type: "function" as const,
    function: { name, description, parameters: parametersOf(schema) },
  }));
  const asked: CompletionMessage[] =
    prompt === undefined ? [] : [{ role: "user", content: prompt }];
  let messages: readonly CompletionMessage[] = [...(given ?? []), ...asked];
  const warnings = new Set<string>();
  for (let round = 1; ; round += 1) {
    // A call that must be made again and again would never end.
    const toolChoice = round === 1 ? rest.toolChoice : "auto";
    const completion = await complete({ ...rest, messages, tools: definitions, toolChoice });
    const { text, toolCalls = [] } = completion;
    for (const warning of completion.warnings) warnings.add(warning);
    if (toolCalls.length === 0) {
      const answer: CompletionMessage = { role: "assistant", content: text };
      messages = [...messages, answer];
      return { ...completion, messages, rounds: round, warnings: [...warnings] };
    }
    if (round === maxRounds) {
      warnings.add(
        `The model still calls tools after ${counted(round, "round")}; these calls were not run.`,
      );
      return { ...completion, messages, rounds: round, warnings: [...warnings] };
    }
    const results: CompletionMessage[] = [];
    for (const call of toolCalls) {
      throwIfAborted(signal);
      const content = await resultOf(call, tools, signal);
      results.push({ role: "tool", tool_call_id: call.id, content });
    }
    messages = [
      ...messages,
      { role: "assistant", content: text, tool_calls: toolCalls },
      ...results,
    ];
  }
}

const isStandard = (schema: StandardSchema | JsonSchema): schema is StandardSchema =>
  isTyped({ schema });

const parametersOf = (schema: StandardSchema | JsonSchema): JsonSchema =>
  isStandard(schema) ? jsonSchemaOf(schema) : schema;

/** What the model is given for a call; a failure as words. */
async function resultOf(
  call: ToolCall,
  tools: readonly RunnableTool[],
  signal: AbortSignal | undefined,
): Promise<string> {
  const tool = tools.find(({ name }) => name === call.name);
  if (call.error !== undefined || tool === undefined)
    return `Error: ${call.error ?? "unknown tool"}`;
  try {
    const { schema } = tool;
    // A tool that ignores its signal is not waited for.
    const result: unknown = await untilAborted(
      (async () => {
        // A copy: a tool may change what it is given, and the conversation has the call as it was made.
        const given = structuredClone(call.arguments);
        const value = isStandard(schema)
          ? await parsedBy(schema, given, "The arguments do not fit")
          : given;
        return tool.run(value, { signal });
      })(),
      signal,
    );
    const words = typeof result === "string" ? result : (JSON.stringify(result) ?? "done");
    return shortened(words);
  } catch (thrown) {
    throwIfAborted(signal);
    const words = thrown instanceof Error ? thrown.message : String(thrown);
    return `Error: ${shortened(words)}`;
  }
}

const shortened = (words: string): string =>
  words.length <= LONGEST_RESULT
    ? words
    : `${truncate(words, LONGEST_RESULT)}\n[Cut off: these are ${LONGEST_RESULT} of ${words.length} characters.]`;
