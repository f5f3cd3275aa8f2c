import * as z from "zod";
import { answerLong, requestAfter, requestWithImages } from "../../documents/index.js";
import type { CompletionState } from "../../jobs/index.js";
import { defineTool, replyWithin, replyWithinMs, type ToolContext } from "../tool.js";
import {
  answerWith,
  completionArguments,
  completionResult,
  deliveryOf,
  downloadAgreed,
  GivenFiles,
  isDownloadAgreed,
  needsPrompt,
  orDownload,
  requestOf,
  resultOf,
  waitedFor,
  wholeOf,
  writeToArgument,
  writtenAnswer,
} from "./shared/index.js";

/** What the OpenAI API has there; the errors and `next` show it, and the list of tools must be short. */
const OBJECTS = { type: "array", items: { type: "object", properties: {} } };
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
      response_schema: completionArguments.response_schema.describe("JSON Schema of the answer"),
      tools: completionArguments.tools.meta({ listed: OBJECTS }),
      tool_choice: completionArguments.tool_choice.meta({ listed: { type: "string" } }),
      files: completionArguments.files.describe(
        "Paths or globs that the server reads, like a.md:10-40, a.png",
      ),
      write_to: writeToArgument
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

  async handle({ reply_within, join, whole, files: patterns, write_to, ...given }, context) {
    const { client, caller, session, kept, trace, files: folders, signal } = context;
    const withinMs = replyWithinMs(reply_within, context);
    const file = write_to === undefined ? null : await folders.newFile(write_to);
    const files = patterns && (await GivenFiles.read(patterns, folders, signal));
    const asked = requestWithImages(files?.images ?? [], requestOf(given));
    const texts = files?.files ?? [];
    const request = files && texts.length > 0 ? requestAfter(files.framed, asked) : asked;
    const wanted = client.routed(request);
    if (isDownloadAgreed(context)) await downloadAgreed(wanted, withinMs, context);
    const inParts = texts.length > 0 && whole !== true;
    // Never sent: it only keeps answers in parts apart from whole answers.
    const identity = inParts ? requestAfter(IN_PARTS, request) : request;
    if (join !== false) await kept.findSame(identity);
    const { state: begun, joined } = client.completions.start(identity, {
      join,
      caller,
      session: session ?? undefined,
      trace,
      open: inParts
        ? answerLong(client, { request: client.routed(asked), texts }, trace)
        : undefined,
    });
    context.identify?.(begun.id);
    const { state, own } = await waitedFor(begun, withinMs, context, async (state) => ({
      state,
      own: await (file === null ? answerOf(state, kept) : writtenAnswer(state, file, context)),
    }));
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
async function answerOf(state: CompletionState, kept: ToolContext["kept"]) {
  const excerpt = wholeOf(state);
  await kept.answered(deliveryOf([{ state, excerpt }]));
  return answerWith(state, excerpt, resultOf(state, excerpt));
}

const IN_PARTS = "In parts, if it is longer than the context.";

const JOINED =
  "An identical earlier call already started this completion, and its result is shared. Set join to false to start another.";
