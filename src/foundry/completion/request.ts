import * as z from "zod";
import {
  FoundryError,
  imageTypeOf,
  isMembers,
  jsonFrom,
  LONGEST_CALL_ID,
  LONGEST_IMAGE_BYTES,
  MOST_IMAGES,
  MOST_TOOLS,
  nonEmptyText,
  quoted,
  requestSettings,
} from "../../lib/index.js";
import type { ChatMessage, MessageCall, MessageImage } from "../dialects/index.js";
import type {
  CompletionMessage,
  CompletionMessageCall,
  CompletionRequest,
  ContentPart,
} from "./completion.js";
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

/** The content of a message, as text and images. The models here take no other kind of part. */
interface ReadContent {
  /** Each part begins a line. */
  readonly text: string;
  readonly images: readonly MessageImage[];
}

interface ContentFault {
  readonly path: readonly (string | number)[];
  /** What would be right. */
  readonly allowed: string;
}

const IMAGE =
  "an image as base64 or as a data: URL (PNG, JPEG, GIF or WebP). Nothing is fetched from an address: read the image and give its content";
const PART = 'a string, or a part of type "text", "image_url" or "image"';

/** Reads a content: a string, or parts such as those of the OpenAI API and of MCP. */
export function readContent(content: unknown): ReadContent | ContentFault {
  if (content === null || content === undefined) return { text: "", images: [] };
  if (typeof content === "string") return { text: content, images: [] };
  if (!Array.isArray(content)) return { path: [], allowed: "a string, or a list of parts" };
  let text = "";
  let hasText = false;
  const images: MessageImage[] = [];
  for (const [index, part] of content.entries()) {
    const read = readPart(part);
    if ("allowed" in read) return { ...read, path: [index, ...read.path] };
    if ("text" in read) {
      text += hasText ? `\n${read.text}` : read.text;
      hasText = true;
    } else {
      images.push({ ...read, at: text.length });
    }
  }
  if (images.length > MOST_IMAGES) return { path: [], allowed: `at most ${MOST_IMAGES} images` };
  return { text, images };
}

type ReadPart = { readonly text: string } | Omit<MessageImage, "at"> | ContentFault;

function readPart(part: unknown): ReadPart {
  if (typeof part === "string") return { text: part };
  const members = isMembers(part) ? part : {};
  const { type, text } = members;
  if (type === "image_url") return readImageUrl(members["image_url"]);
  if (type === "image") return readImage(members["data"], ["data"]);
  if (typeof type === "string" && /audio/i.test(type)) {
    return { path: ["type"], allowed: `${PART}. Audio is not supported: transcribe it before` };
  }
  if (typeof text === "string" && (type === undefined || type === "text")) return { text };
  return { path: type === undefined || type === "text" ? [] : ["type"], allowed: PART };
}

/** The URL alone, or within an object, as the OpenAI API has it. */
function readImageUrl(value: unknown): ReadPart {
  const url = isMembers(value) ? value["url"] : value;
  const path = isMembers(value) ? ["image_url", "url"] : ["image_url"];
  const [head = ""] = typeof url === "string" ? url.slice(0, LONGEST_HEAD).split(",", 1) : [];
  if (typeof url !== "string" || !/^data:[^,]*;base64$/i.test(head))
    return { path, allowed: IMAGE };
  return readImage(url.slice(head.length + 1), path);
}

/** A data: URL begins with its type and parameters. */
const LONGEST_HEAD = 200;

function readImage(data: unknown, path: readonly string[]): ReadPart {
  if (typeof data !== "string" || data.trim() === "") return { path, allowed: IMAGE };
  // Before anything else is done with it.
  const bytes = Math.floor((data.length * 3) / 4);
  if (bytes > LONGEST_IMAGE_BYTES) {
    return {
      path,
      allowed: `an image of at most ${megabytes(LONGEST_IMAGE_BYTES)}; this one has about ${megabytes(bytes)}. Make it smaller: models see about a megapixel`,
    };
  }
  const base64 = /\s/.test(data) ? data.replace(/\s+/g, "") : data;
  const digits = base64.replace(/={1,2}$/, "");
  if (digits.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(digits)) {
    return {
      path,
      allowed: "base64, of which this has characters that it does not know, or too few",
    };
  }
  // What the caller said of it may be wrong.
  const mimeType = imageTypeOf(Buffer.from(digits.slice(0, 32), "base64"));
  if (mimeType === null) return { path, allowed: IMAGE };
  return { mimeType, data: digits.padEnd(Math.ceil(digits.length / 4) * 4, "=") };
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`;
