import { FoundryError, toFoundryError, truncate } from "../../lib/index.js";
import { type ChatMessage, withSystemText } from "../dialects/index.js";
import {
  type JsonSchema,
  loadReader,
  roundedNotes,
  type ValueReader,
} from "../structured/index.js";
import type { AnswerContext } from "./answer.js";
import type { CompletionEvent } from "./completion.js";

/** What an answer must be. */
export interface Structure {
  readonly schema: JsonSchema;
  readonly read: ValueReader;
}

/** @throws FoundryError `INVALID_ARGUMENT` where it is no valid schema. */
export const structureOf = async (schema: JsonSchema): Promise<Structure> => ({
  schema,
  read: await loadReader(schema),
});

/** Small models that fail three times fail the fourth time, too. */
const MOST_REPAIRS = 2;
/** Of an answer that does not fit, so much is shown to the model again. */
const LONGEST_SHOWN = 8000;

/**
 * Requests an answer that is a value by the schema. Where it is none, the model is shown its answer and
 * what is wrong with it, and answers again.
 *
 * @param ask Requests an answer to these messages, and receives it.
 */
export async function* structured(
  { schema, read }: Structure,
  { messages, progress }: Pick<AnswerContext, "messages" | "progress">,
  ask: (messages: readonly ChatMessage[]) => AsyncGenerator<CompletionEvent, void>,
): AsyncGenerator<CompletionEvent, void> {
  progress.draftsValue();
  const rule = `Answer with one JSON value that is valid by this JSON Schema, and with nothing else: no explanation, no code fence.\n${JSON.stringify(schema)}`;
  // Also where the service holds the answer to the schema: the model must know what the fields mean.
  const first = withSystemText(messages, rule);
  let asked = first;
  let before: readonly string[] = [];
  for (let repairs = 0; ; repairs += 1) {
    try {
      yield* ask(asked);
    } catch (thrown) {
      throw repairs > 0 ? orMismatch(toFoundryError(thrown), before) : thrown;
    }
    const { text, finishReason, toolCalls, isLimitedByService } = progress.snapshot();
    // The value comes after the results of the tools.
    if (toolCalls !== undefined) return;
    // After any other end, such as that of a filter or at a stop string, the value may go on.
    const found = read(text, progress.isWhole);
    if (found.fits) {
      const json = JSON.stringify(found.data);
      progress.isValue(found.data, json);
      progress.warn(...roundedNotes(found.data));
      if (json === text) return;
      yield { type: "text_dropped" };
      yield { type: "text", text: json };
      return;
    }
    if (finishReason === "content_filter") throw filtered();
    const isCut = finishReason === "length";
    // After a correction it would have no more tokens to think.
    const onlyThought = isCut && text.trim() === "" && progress.thoughtTokens > 0;
    if (onlyThought || repairs === MOST_REPAIRS) {
      const error = onlyThought ? usedUp() : mismatch(found.complaints, isCut);
      throw isLimitedByService === true ? error.reworded({ action: CONTEXT_FULL }) : error;
    }
    before = found.complaints;
    asked = [...first, ...repairOf(text, found.complaints)];
    progress.answersAgain();
    yield { type: "text_dropped" };
  }
}

function repairOf(text: string, complaints: readonly string[]): ChatMessage[] {
  const wrong = complaints.map((line) => `- ${line}`).join("\n");
  const request = `This is not valid by the JSON Schema:\n${wrong}\nAnswer again with the whole JSON value, corrected, and with nothing else.`;
  // Some templates refuse an empty message.
  if (text.trim() === "") return [{ role: "user", content: request }];
  return [
    { role: "assistant", content: truncate(text, LONGEST_SHOWN) },
    { role: "user", content: request },
  ];
}

/** Where the context has no room for a correction, the mismatch is the error. */
const orMismatch = (error: FoundryError, complaints: readonly string[]): FoundryError =>
  error.code === "CONTEXT_LENGTH_EXCEEDED" ? mismatch(complaints, false, NO_ROOM) : error;

const NO_ROOM = "and the context has no room for a correction";

const CONTEXT_FULL =
  "Shorten the prompt, or ask for less: the context is full, or the engine has a limit of its own.";

/** A correction would show the model what was filtered. */
const filtered = (): FoundryError =>
  new FoundryError(
    "SCHEMA_MISMATCH",
    "The answer does not fit the schema: a content filter ended it.",
    { action: "Rephrase the prompt, or try another model." },
  );

const usedUp = (): FoundryError =>
  new FoundryError(
    "SCHEMA_MISMATCH",
    "There is no answer by the schema: the model used up its tokens while thinking.",
    { action: MORE_TOKENS },
  );

const MORE_TOKENS = "Raise `maxTokens`, ask for less, or set reasoning to off if the model thinks.";

function mismatch(
  complaints: readonly string[],
  isCut: boolean,
  how = `after ${MOST_REPAIRS} corrections`,
): FoundryError {
  return new FoundryError(
    "SCHEMA_MISMATCH",
    `The answer does not fit the schema, ${how}: ${complaints.join("; ")}.`,
    {
      action: isCut
        ? MORE_TOKENS
        : "Simplify the schema, say in the prompt what each field means, or use a larger model.",
      retryable: !isCut,
    },
  );
}
