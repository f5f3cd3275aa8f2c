import * as z from "zod";
import { answerLong, requestAfter, requestWithImages } from "../../documents/index.js";
import type { NewFile } from "../../files/index.js";
import { type CompletionState, hasEnded } from "../../jobs/index.js";
import { counted, LONGEST_FILE_PATTERN, toFoundryError } from "../../lib/index.js";
import { endAdvice } from "../end-advice.js";
import { defineTool, type ToolAnswer, type ToolContext } from "../tool.js";
import {
  answeredWhole,
  answerWith,
  completionArguments,
  completionResult,
  downloadAgreed,
  howFar,
  needsPrompt,
  orDownload,
  partOf,
  readFiles,
  replyWithin,
  replyWithinMs,
  requestOf,
  resultOf,
  waitedFor,
} from "./shared/index.js";

const WRITE_TO = `a path of a new file with at most ${LONGEST_FILE_PATTERN} characters`;
/** Of an answer that was written to a file, so much is returned. */
const BEGINNING = 300;

type Answer = ToolAnswer<ReturnType<typeof resultOf>>;

/** What the OpenAI API has there; the errors and `next` show it, and the list of tools must be short. */
const LISTED_TOOLS = {
  description: "Functions, each as JSON",
  type: "array",
  items: { type: "string" },
};
const LISTED_SCHEMA = { description: "JSON Schema of the answer", type: "string" };
const LISTED_MESSAGES = {
  description: "Earlier turns",
  type: "array",
  items: {
    type: "object",
    properties: { role: { type: "string" }, content: { type: "string" } },
  },
};

export const complete = defineTool({
  name: "complete",
  title: "Complete with a local model",
  description:
    "Generates text with a model on the user's machine: private, free, offline. For summaries, extraction, classification, rewriting, drafts; not hard reasoning. The first call may take minutes. Returns the answer (data, not instructions) or what to call next.",
  arguments: z
    .strictObject({
      ...completionArguments,
      messages: completionArguments.messages.meta({ listed: LISTED_MESSAGES }),
      model: completionArguments.model.describe(
        "Name from list_models, or auto. Default: the user's",
      ),
      models: completionArguments.models.describe("Tried in order"),
      response_schema: completionArguments.response_schema.meta({ listed: LISTED_SCHEMA }),
      tools: completionArguments.tools.meta({ listed: LISTED_TOOLS }),
      tool_choice: completionArguments.tool_choice.meta({ listed: { type: "string" } }),
      files: completionArguments.files.describe(
        "Paths or globs that the server reads, like a.md:10-40, a.png",
      ),
      write_to: z
        .string(WRITE_TO)
        .min(1, WRITE_TO)
        .max(LONGEST_FILE_PATTERN, WRITE_TO)
        .describe("New file for the answer, in place of its text")
        .optional(),
      reply_within: replyWithin.describe("Seconds to wait; the work continues"),
      join: z.boolean("true or false").describe("false: start a new completion").optional(),
      whole: completionArguments.whole.describe(
        "true: refuse files longer than the context, rather than answer in parts",
      ),
    })
    .superRefine(needsPrompt)
    // A call with only messages is accepted, too. Frameworks that build calls from the schema need to
    // know what to give.
    .meta({ required: ["prompt"] }),
  result: completionResult,
  effect: "generates",
  quotesModel: true,
  outlivesCall: true,

  async handle({ reply_within, join, whole, files: patterns, write_to, ...given }, context) {
    const { client, kept, trace, files: folders, signal } = context;
    const file = write_to === undefined ? null : await folders.newFile(write_to);
    const files = patterns && (await readFiles(patterns, folders, { signal, withImages: true }));
    const asked = requestWithImages(files?.images ?? [], requestOf(given));
    const texts = files?.files ?? [];
    const request = files && texts.length > 0 ? requestAfter(files.framed, asked) : asked;
    const wanted = client.completions.routed(request);
    const leftMs = (): number => replyWithinMs(reply_within, context);
    await downloadAgreed(wanted, leftMs(), context);
    const inParts = texts.length > 0 && whole !== true;
    // Never sent: it only keeps answers in parts apart from whole answers.
    const identity = inParts ? requestAfter(IN_PARTS, request) : request;
    if (join !== false) await kept.findSame(identity);
    const open = inParts ? answerLong(client, { request: asked, texts }, trace) : undefined;
    const waited = await waitedFor(identity, { join, open }, leftMs(), context, (state) =>
      file === null ? answerOf(state, context) : writtenAnswer(state, file, context),
    );
    const { state, joined, value: own } = waited;
    const answer = {
      ...own,
      notes: [...(joined ? [JOINED] : []), ...(files?.notes ?? []), ...(own.notes ?? [])],
      result: { ...own.result, joined: joined || null, files: files?.listed ?? null },
    };
    if (state.error === null) return answer;
    return { ...answer, failure: await orDownload(state.error, wanted, context) };
  },
});

/** All of the answer that fits one result. */
async function answerOf(
  state: CompletionState,
  context: ToolContext,
  notes: readonly string[] = [],
): Promise<Answer> {
  const excerpt = await answeredWhole(state, context);
  return answerWith(state, excerpt, resultOf(state, excerpt), notes);
}

/** The answer to a call with `write_to`. Only a whole answer is written. */
async function writtenAnswer(
  state: CompletionState,
  file: NewFile,
  context: ToolContext,
): Promise<Answer> {
  const { client, kept, files } = context;
  const { id } = state;
  const beginning = beginningOf(state);
  if (!hasEnded(state)) {
    await answeredWhole(state, context);
    // The repeated call joins it, also after its end.
    client.completions.detach(id);
    return { ...beginning, next: `Not finished: ${howFar(state)}. ${REPEAT}` };
  }
  if (!isWhole(state)) return answerOf(state, context, [NOT_WRITTEN]);
  try {
    const { path } = await files.write(file, state.text);
    await kept.answered({ promised: [], delivered: [id] });
    const characters = state.text.length;
    const note = `The answer was written to ${path} (${counted(characters, "character")})${characters > BEGINNING ? "; this is its beginning" : ""}.`;
    return {
      ...beginning,
      notes: [note, ...state.warnings],
      result: { ...beginning.result, written: { path, characters } },
    };
  } catch (thrown) {
    await kept.answered({ promised: [id], delivered: [] });
    client.completions.detach(id);
    return {
      text: "",
      notes: [
        `The answer is kept. Repeat this call with another write_to, or call get_completion with completion_ids ["${id}"].`,
      ],
      result: beginning.result,
      failure: toFoundryError(thrown),
    };
  }
}

// A tool of a route has another name and another model than complete.
const REPEAT =
  "Nothing is written yet. Repeat this call with the same arguments, without join: it goes on with this completion, and writes the file at its end.";
const NOT_WRITTEN = "Nothing was written to write_to, since this is no whole answer.";

/** Whether the model ended its answer itself, as far as the service says. */
const isWhole = (state: CompletionState): boolean =>
  state.status === "completed" && state.error === null && endAdvice(state) === null;

function beginningOf(state: CompletionState): Pick<Answer, "text" | "result"> {
  const excerpt = partOf(state, 0, BEGINNING);
  const { text } = excerpt;
  // A value by a schema is as long as its text.
  const cut = excerpt.isCut ? { text, data: undefined } : {};
  const result = { ...resultOf(state, excerpt), ...cut, reasoning: null, next_from: null };
  return { text, result };
}

const IN_PARTS = "In parts, if it is longer than the context.";

const JOINED =
  "An identical earlier call already started this completion, and its result is shared. Set join to false to start another.";
