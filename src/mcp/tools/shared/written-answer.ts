import * as z from "zod";
import type { NewFile } from "../../../files/index.js";
import { type CompletionState, hasEnded } from "../../../jobs/index.js";
import { LONGEST_FILE_PATTERN, toFoundryError } from "../../../lib/index.js";
import type { ToolAnswer, ToolContext } from "../../tool.js";
import { answerWith, deliveryOf, howFar, partOf, resultOf, wholeOf } from "./completion-result.js";

const ALLOWED = `a path of a new file with at most ${LONGEST_FILE_PATTERN} characters`;

/** Where an answer is written, in place of being returned. */
export const writeToArgument = z.string(ALLOWED).min(1, ALLOWED).max(LONGEST_FILE_PATTERN, ALLOWED);

/** Of an answer that was written to a file, so much is returned. */
const BEGINNING = 300;

type Answer = ToolAnswer<ReturnType<typeof resultOf>>;

/** The answer to a call with `write_to`. Only a whole answer is written. */
export async function writtenAnswer(
  state: CompletionState,
  file: NewFile,
  { client, kept, files }: ToolContext,
): Promise<Answer> {
  if (!hasEnded(state)) {
    await kept.answered(deliveryOf([{ state, excerpt: wholeOf(state) }]));
    // The repeated call joins it, also after its end.
    client.completions.detach(state.id);
    const beginning = beginningOf(state);
    return { ...beginning, next: `Not finished: ${howFar(state)}. ${REPEAT}` };
  }
  if (!isWhole(state)) {
    const excerpt = wholeOf(state);
    await kept.answered(deliveryOf([{ state, excerpt }]));
    return answerWith(state, excerpt, resultOf(state, excerpt), [NOT_WRITTEN]);
  }
  try {
    const { path } = await files.write(file, state.text);
    await kept.answered({ promised: [], delivered: [state.id] });
    const characters = state.text.length;
    const beginning = beginningOf(state);
    const note = `The answer was written to ${path} (${characters} characters)${characters > BEGINNING ? "; this is its beginning" : ""}.`;
    return {
      ...beginning,
      notes: [note, ...state.warnings],
      result: { ...beginning.result, written: { path, characters } },
    };
  } catch (thrown) {
    await kept.answered({ promised: [state.id], delivered: [] });
    client.completions.detach(state.id);
    return {
      text: "",
      notes: [
        `The answer is kept. Call complete again with another write_to, or get_completion with completion_ids ["${state.id}"].`,
      ],
      result: beginningOf(state).result,
      failure: toFoundryError(thrown),
    };
  }
}

const REPEAT =
  "Nothing is written yet. Call complete again with the same arguments, without join: it goes on with this completion, and writes the file at its end.";
const NOT_WRITTEN = "Nothing was written to write_to, since this is no whole answer.";

/** Whether the model ended its answer itself, as far as the service says. */
const isWhole = ({ status, error, finishReason, text, toolCalls }: CompletionState): boolean =>
  status === "completed" &&
  error === null &&
  finishReason !== "length" &&
  finishReason !== "content_filter" &&
  toolCalls === undefined &&
  text.trim() !== "";

function beginningOf(state: CompletionState): Pick<Answer, "text" | "result"> {
  const excerpt = partOf(state, 0, BEGINNING);
  // A value by a schema is as long as its text.
  const { data, ...shown } = excerpt.isCut ? { ...state, data: undefined } : state;
  const result = resultOf(data === undefined ? shown : { ...shown, data }, excerpt);
  return { text: excerpt.text, result: { ...result, reasoning: null, next_from: null } };
}
