import * as z from "zod";
import { replyWithin, replyWithinMs } from "../call-policy.js";
import { defineTool } from "../tool.js";
import {
  answerWith,
  completionArguments,
  completionResult,
  deliveryOf,
  downloadAgreed,
  isDownloadAgreed,
  needsPrompt,
  orDownload,
  requestOf,
  resultOf,
  waitedFor,
  wholeOf,
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
      reply_within: replyWithin.describe("Seconds to wait; the work continues"),
      join: z.boolean("true or false").describe("false: join no identical call").optional(),
    })
    .superRefine(needsPrompt)
    // A call with only messages is accepted, too. Frameworks that build calls from the schema need to
    // know what to give.
    .meta({ required: ["prompt"] }),
  result: completionResult,
  effect: "generates",

  async handle({ reply_within, join, ...given }, context) {
    const { client, caller, session, kept, trace } = context;
    const withinMs = replyWithinMs(reply_within, context);
    const request = requestOf(given);
    const wanted = client.routed(request);
    if (isDownloadAgreed(context)) await downloadAgreed(wanted, withinMs, context);
    if (join !== false) await kept.findSame(request);
    const { state: begun, joined } = client.completions.start(request, {
      join,
      caller,
      session: session ?? undefined,
      trace,
    });
    context.identify?.(begun.id);
    const state = await waitedFor(begun, withinMs, context);
    const excerpt = wholeOf(state);
    await kept.answered(deliveryOf([{ state, excerpt }]));
    const result = { ...resultOf(state, excerpt), joined: joined || null };
    const answer = answerWith(state, excerpt, result, joined ? [JOINED] : []);
    if (state.error === null) return answer;
    return { ...answer, failure: await orDownload(state.error, wanted, context) };
  },
});

const JOINED =
  "An identical earlier call already started this completion, and its result is shared. Set join to false to start another.";
