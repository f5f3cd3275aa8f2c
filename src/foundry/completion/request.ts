import * as z from "zod";
import {
  FoundryError,
  isMembers,
  jsonFrom,
  LONGEST_CALL_ID,
  MOST_IMAGES,
  MOST_TOOLS,
  nonEmptyText,
  quoted,
  requestSettings,
} from "../../lib/index.js";
import type { ChatMessage, MessageCall } from "../dialects/index.js";
import type {
  CompletionMessage,
  CompletionMessageCall,
  CompletionRequest,
  ContentPart,
} from "./completion.js";
import { readContent } from "./content-parts.js";
import { imageCharacters } from "./prompt-size.js";

const ROLES = ["system", "user", "assistant", "tool"] as const;

const NOT_BLANK = "a string that is not blank";
const callId = z.string("the id of the call").min(1, "the id of the call").max(LONGEST_CALL_ID);
const callName = z.string("the name of a tool").min(1, "the name of a tool");
const CALL = 'a call such as {"id":"call_1","name":"get_weather","arguments":{"city":"Oslo"}}';
const messageCallSchema = z
  .object(
    {
      id: callId,
      type: z.string().optional(),
      name: callName.optional(),
      arguments: z.unknown().optional(),
      function: z.object({ name: callName, arguments: z.unknown().optional() }, CALL).optional(),
    },
    CALL,
  )
  .refine((call) => argumentsIn(call) !== null, { error: CALL });

/** What is wrong with one of them is said by `readContent`; there may be very many. */
const PARTS = z.custom<readonly ContentPart[]>(Array.isArray);

const messageSchema = z
  .strictObject(
    {
      role: z.enum(ROLES, { error: `one of ${ROLES.join(", ")}` }),
      content: z.union([z.string(), PARTS], NOT_BLANK).nullish(),
      tool_calls: z.array(messageCallSchema, "a list of calls").nullish(),
      tool_call_id: callId.nullish(),
    },
    { error: 'an object such as {"role":"user","content":"…"}' },
  )
  .superRefine(({ role, content, tool_calls, tool_call_id }, context) => {
    const issue = (path: (string | number)[], message: string, input: unknown): void =>
      context.addIssue({ code: "custom", path, message, input });
    const read = readContent(content);
    if ("allowed" in read) {
      issue(["content", ...read.path], read.allowed, content);
      return;
    }
    if (read.images.length > 0 && role !== "user") {
      issue(["content"], "text: only messages of the user can have images", content);
    }
    const mayBeBlank = role === "tool" || (role === "assistant" && (tool_calls?.length ?? 0) > 0);
    const isBlank = read.text.trim() === "" && read.images.length === 0;
    if (!mayBeBlank && isBlank) issue(["content"], NOT_BLANK, content);
    if (role === "tool" && tool_call_id == null) {
      issue(["tool_call_id"], "the id of the call whose result it is", tool_call_id);
    }
  });

/** The arguments of a call in a message; `null` where they are none. */
function argumentsIn(call: CompletionMessageCall): MessageCall["arguments"] | null {
  const name = call.function?.name ?? call.name;
  const given = call.function?.arguments ?? call.arguments ?? {};
  const isEmpty = typeof given === "string" && given.trim() === "";
  const value = isEmpty ? {} : typeof given === "string" ? jsonFrom(given) : given;
  const parsed = z.record(z.string(), z.unknown()).safeParse(value);
  return name === undefined || !parsed.success ? null : parsed.data;
}

const FUNCTION =
  '{"name":"get_weather","description":"…","parameters":{"type":"object","properties":{}}}';
const TOOL = `a tool such as {"type":"function","function":${FUNCTION}}`;
const TOOL_NAME = "1 to 64 letters, digits, _, . or -";
const toolSchema = z.object(
  {
    type: z.literal("function", "function").optional(),
    function: z.object(
      {
        name: z.string(TOOL_NAME).regex(/^[\w.-]{1,64}$/, TOOL_NAME),
        description: z.string("a string").optional(),
        parameters: z.record(z.string(), z.unknown(), "a JSON Schema, an object").optional(),
        strict: z.boolean("true or false").nullish(),
      },
      `an object such as ${FUNCTION}`,
    ),
  },
  TOOL,
);
const CHOICE = 'auto, none, required or {"type":"function","function":{"name":"…"}}';
const toolChoiceSchema = z.union(
  [
    z.enum(["auto", "none", "required"]),
    z.object({ type: z.literal("function"), function: z.object({ name: z.string() }) }),
  ],
  CHOICE,
);

const { reasoning, reasoningBudget, ...settings } = requestSettings;

/** By the types of the parts alone: reading an image again takes milliseconds for each megabyte. */
const imagesIn = (messages: readonly CompletionMessage[]): number =>
  messages
    .flatMap(({ content }) => (typeof content === "string" ? [] : (content ?? [])))
    .filter((part) => isMembers(part) && /^image(?:_url)?$/.test(String(part["type"]))).length;

/**
 * What each member of a request may be, in the words of its refusal. The compiler compares them with
 * {@link CompletionRequest}. The tools derive their arguments from them.
 */
export const completionFields = {
  prompt: nonEmptyText(NOT_BLANK),
  messages: z
    .array(messageSchema, { error: "a list of messages" })
    .min(1, { error: "at least one message" })
    .refine((messages) => imagesIn(messages) <= MOST_IMAGES, {
      error: `messages with at most ${MOST_IMAGES} images`,
    }),
  ...settings,
  schema: z.record(z.string(), z.unknown(), "a JSON Schema, an object"),
  tools: z.array(toolSchema, "a list of tools").max(MOST_TOOLS, `at most ${MOST_TOOLS} tools`),
  toolChoice: toolChoiceSchema,
  reasoning,
  reasoningBudget,
} satisfies {
  readonly [Name in keyof CompletionRequest]-?: z.ZodType<NonNullable<CompletionRequest[Name]>>;
};

/** The issue of a schema where a request has not exactly one of `prompt` and `messages`. */
export function checkPrompt(
  given: { readonly prompt?: unknown; readonly messages?: unknown },
  context: z.core.$RefinementCtx,
): void {
  const count = [given.prompt, given.messages].filter((value) => value !== undefined).length;
  if (count === 1) return;
  const message =
    count === 2
      ? "Both prompt and messages came, but a completion takes one of them"
      : "Neither prompt nor messages came, but a completion needs one of them";
  const fix = "Give either prompt, a single request, or messages, a conversation.";
  context.addIssue({ code: "custom", message, input: given, params: { fix } });
}

export const completionRequestSchema = z
  .strictObject(completionFields)
  .partial()
  .superRefine(checkPrompt);

interface PreparedMessages {
  readonly messages: readonly ChatMessage[];
  /** Length of all texts, and what images count, to estimate their tokens from. */
  readonly characters: number;
  readonly warnings: readonly string[];
}

/**
 * The conversation as it is sent. Text with half a surrogate pair has no UTF-8, and the services refuse
 * or garble it. The halves are replaced, with a warning.
 *
 * @throws FoundryError `INVALID_ARGUMENT` for tools and calls that cannot be written as JSON.
 */
export function prepareMessages(request: CompletionRequest): PreparedMessages {
  const system: ChatMessage[] =
    request.system === undefined ? [] : [{ role: "system", content: request.system }];
  const conversation: readonly ChatMessage[] = request.messages?.map(chatMessage) ?? [
    { role: "user", content: request.prompt ?? "" },
  ];
  const given = [...system, ...conversation];
  const isWellFormed = given.every(({ content }) => content.isWellFormed());
  const messages = given.map((each) => ({ ...each, content: each.content.toWellFormed() }));
  const calls = given.flatMap(({ toolCalls }) => toolCalls ?? []);
  const ofTools = [
    ...(request.tools ?? []).map((each) => jsonLength(each, `tool ${quoted(each.function.name)}`)),
    ...calls.map((each) => jsonLength(each, `call of ${quoted(each.name)}`)),
  ];
  return {
    messages,
    characters:
      messages.reduce((sum, each) => sum + each.content.length + imageCharacters(each), 0) +
      ofTools.reduce((sum, length) => sum + length, 0),
    warnings: isWellFormed
      ? []
      : [
          "The text held characters that are no valid Unicode (halves of surrogate pairs); each was replaced by U+FFFD.",
        ],
  };
}

function jsonLength(value: object, what: string): number {
  try {
    return JSON.stringify(value).length;
  } catch {
    throw new FoundryError("INVALID_ARGUMENT", `The ${what} cannot be written as JSON.`, {
      action: "Leave out what JSON does not have, such as a BigInt or an object in itself.",
    });
  }
}

function chatMessage({ role, content, tool_calls, tool_call_id }: CompletionMessage): ChatMessage {
  const calls = (tool_calls ?? []).map((call) => ({
    id: call.id,
    name: call.function?.name ?? call.name ?? "",
    arguments: argumentsIn(call) ?? {},
  }));
  const read = readContent(content);
  // The schema has refused what cannot be read.
  const { text, images } = "allowed" in read ? { text: "", images: [] } : read;
  return {
    role,
    content: text,
    ...(images.length > 0 ? { images } : {}),
    ...(role === "assistant" && calls.length > 0 ? { toolCalls: calls } : {}),
    ...(role === "tool" && tool_call_id != null ? { toolCallId: tool_call_id } : {}),
  };
}
