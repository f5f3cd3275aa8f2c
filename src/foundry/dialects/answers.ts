import * as z from "zod";
import type { HttpAnswer, HttpTransport } from "../../http/index.js";
import {
  answerFrom,
  FoundryError,
  HIGHEST_PID,
  isMembers,
  LONGEST_LISTED_WORD,
  LONGEST_MODEL_NAME,
  MAX_LIST_BYTES,
  MAX_TOKEN_COUNT,
  MOST_LISTED_WORDS,
} from "../../lib/index.js";
import type { Call, RequestPath } from "./dialect.js";
import { kindOf } from "./endpoint-errors.js";
import type { Subject } from "./failure-rules.js";
import { errorOfFailure } from "./failures.js";

/**
 * Makes the function that sends the GET requests of a dialect. A body above `maxBodyBytes` is
 * `RESPONSE_TOO_LARGE`.
 */
export const getterOf =
  (transport: HttpTransport, quirks: Pick<RequestPath, "headLimitBytes"> = {}) =>
  (
    path: string,
    call: Call,
    maxBodyBytes = MAX_LIST_BYTES,
    subject: Subject = { doing: "other" },
  ): Promise<HttpAnswer> =>
    transport.request({
      method: "GET",
      path,
      ...call,
      ...quirks,
      maxBodyBytes,
      toError: (failure) => errorOfFailure(failure, subject),
    });

/** Parses the JSON body of an answer, or `undefined` where it is none. */
export const jsonOf = ({ body }: Pick<HttpAnswer, "body">): unknown => answerFrom(body);

/**
 * The body of an answer as what its route answers.
 *
 * @param expected What it should be, for the error.
 * @throws FoundryError `INVALID_RESPONSE` when it is not: HTML, half a JSON, something else.
 */
export function parseAnswer<T extends z.ZodType>(
  answer: HttpAnswer,
  schema: T,
  route: string,
  expected = "what Foundry Local answers there",
): z.output<T> {
  const parsed = schema.safeParse(jsonOf(answer));
  if (parsed.success) return parsed.data;
  throw new FoundryError(
    "INVALID_RESPONSE",
    `${route} answered ${kindOf(answer)} instead of ${expected}.`,
    {
      status: answer.status,
      action:
        "Check that the option `endpoint` is the address of the service itself, not of a web page or a proxy; restart the service if it is.",
      detail: `${z.prettifyError(parsed.error)}\n${answer.body.slice(0, 2000)}`,
    },
  );
}

/**
 * Whether a text can be the name of a model: neither empty nor long, valid Unicode, and without characters
 * that change how the text around it looks, as those of control and of writing direction do.
 */
export const isModelName = (text: string): boolean =>
  text.trim() !== "" &&
  text.length <= LONGEST_MODEL_NAME &&
  text.isWellFormed() &&
  !/[\p{Cc}\p{Bidi_Control}]/u.test(text);

/**
 * A list of models. An entry without a usable name is left out and counted; a list in which no entry has the
 * right shape is another API's.
 */
const listOf = <T extends z.ZodType>(entry: T, nameOf: (entry: z.output<T>) => string) =>
  z
    .array(entry.nullable().catch(null))
    .refine((entries) => entries.length === 0 || entries.some((each) => each !== null))
    .transform((entries) => {
      const data = entries.flatMap((each) =>
        each !== null && isModelName(nameOf(each)) ? [each] : [],
      );
      return { data, leftOut: entries.length - data.length };
    });

/** A list of ids: `GET /models/loaded` of C1 and C2, and the like of S. */
export const idListSchema = listOf(z.string(), (id) => id);

export const pidSchema = z.number().int().positive().max(HIGHEST_PID).nullable().catch(null);

export const tokenCountSchema = z.int().positive().max(MAX_TOKEN_COUNT);

const lengthSchema = tokenCountSchema.nullish().catch(null);

const modelSchema = z
  .looseObject({
    id: z.string(),
    /** C1: the alias. */
    parent: z.string().refine(isModelName).nullish().catch(null),
    /** The context length of vLLM, of Lemonade and OpenRouter, and in `meta` that of llama.cpp. */
    max_model_len: lengthSchema,
    context_length: lengthSchema,
    meta: z.looseObject({ n_ctx: lengthSchema }).nullish().catch(null),
    /** The routers llama.cpp and llama-swap. */
    status: z.looseObject({ value: z.string() }).nullish().catch(null),
  })
  .transform((entry) => ({
    id: entry.id,
    parent: entry.parent,
    contextLength: entry.max_model_len ?? entry.context_length ?? entry.meta?.n_ctx ?? null,
    isLoaded: entry.status == null ? null : entry.status.value === "loaded",
    ...purposeOf(entry),
  }));

/** Members of which an object that describes a model has at least one. */
const MODEL_MEMBERS = ["id", "name", "model", "object", "owned_by", "type", "capabilities"];

const isDescribed = (value: unknown): boolean =>
  isMembers(value) && MODEL_MEMBERS.some((name) => name in value);

/** Some engines list the ids alone; between objects a text is no model. */
const withIds = (entries: readonly unknown[]): unknown[] =>
  entries.some((entry) => typeof entry === "object" && entry !== null)
    ? [...entries]
    : entries.map((entry) => (typeof entry === "string" ? { id: entry } : entry));

/** With an `id`: Ollama writes it as `model` and `name`, LM Studio as `key`. */
const named = (entry: unknown): unknown => {
  if (!isMembers(entry)) return entry;
  const { id, model, name, key } = entry;
  return { ...entry, id: [id, model, name, key].find((each) => typeof each === "string") };
};

/** The values of an object as entries, with their keys as ids; `null` where it is no object of objects. */
function keyed(value: unknown): Members[] | null {
  const entries = isMembers(value) ? Object.entries(value) : [];
  const models = entries.flatMap(([id, entry]) => (isMembers(entry) ? [{ id, ...entry }] : []));
  return models.length > 0 && models.length === entries.length ? models : null;
}

/** The entries of a list of models in any of its forms; `null` where it has none of them. */
function entriesOf(body: unknown): unknown[] | null {
  if (Array.isArray(body)) return body.map(named);
  if (!isMembers(body)) return null;
  const { object: kind, data, models, error, detail } = body;
  // llama.cpp has both.
  if (Array.isArray(data) && (data.length > 0 || !Array.isArray(models))) return data;
  if (Array.isArray(models)) return models.map(named);
  // Ollama without any model.
  if (data === null && kind === "list") return [];
  if (error !== undefined || detail !== undefined) return null;
  const entries = keyed(data) ?? keyed(models);
  if (entries !== null) return entries;
  // Any API may answer with an object of objects.
  return Object.values(body).some(isDescribed) ? keyed(body) : null;
}

/**
 * `GET /v1/models`, of every server: `{"data": […]}` of OpenAI, a bare list, `{"models": […]}`, or an
 * object with the ids as keys; unknown members are theirs.
 */
export const modelListSchema = z
  .unknown()
  .transform((body, context) => {
    const entries = entriesOf(body);
    if (entries !== null) return withIds(entries);
    context.addIssue({ code: "custom", message: "no list of models" });
    return z.NEVER;
  })
  .pipe(listOf(modelSchema, ({ id }) => id));

/** What a list says of entries that are no models. */
export function leftOutWarning(count: number): string | null {
  if (count === 0) return null;
  return count === 1
    ? "1 entry was left out: its name cannot be used."
    : `${count} entries were left out: their names cannot be used.`;
}

type Members = Readonly<Record<string, unknown>>;

/** Members with one word for the kind of a model: LM Studio, Xinference, Hugging Face, LiteLLM. */
const KINDS = ["type", "model_type", "task", "mode", "pipeline_tag", "modality"] as const;
/** Members with a list of what a model can do: llama.cpp, Ollama, Mistral, Infinity, Lemonade. */
const LISTS = ["tasks", "capabilities", "model_ability", "labels", "categories"] as const;

const CHAT =
  /^(?:language|llm|vlm|text-generation|text2text-generation|image-text-to-text|conversational|generate|code|coding|chat|chat-.+|.+-chat|completions?|completion-.+)$/;
const OTHER =
  /\b(?:embed(?:ding|dings|der)?|feature-extraction|sentence-similarity|rerank(?:er|ing)?|text-ranking|classif\w+|moderations?|speech-\w+|\w+-to-(?:speech|audio|image|video)|transcriptions?|tts|stt|asr|(?:image|video|audio)-(?:generation|transcription|speech)|diffusion)\b/;
/** As the kind of a model these are conclusive. In a list they may be what it accepts. */
const MEDIA = /^(?:images?|audio|speech|video)$/;
/** Labels of Lemonade for what a model makes; one that takes images has the label "vision". */
const MADE = /^(?:image|upscaling|3d)$/;

/** Words for a model that takes images, and for one that is known to take text alone. */
const SEES =
  /^(?:vlm|vision|.*vision-language.*|image-text-to-text|multimodal|images?|image-input|.*-vision)$/;
const READS = /^llm$/;

/**
 * What an engine says that a model is for: `chat-completion`, or the word of the engine such as
 * `embeddings`; and whether it takes images. `null` where it says nothing that is known here.
 */
function purposeOf(entry: Members): { task: string | null; vision: boolean | null } {
  const kinds = KINDS.flatMap((name) => wordsOf(entry[name]));
  const abilities = LISTS.flatMap((name) => wordsOf(entry[name]));
  const words = [...kinds, ...abilities];
  const { inputs, outputs } = flowOf(entry, kinds);
  const sees = inputs.includes("image") || words.some((word) => SEES.test(word));
  // LM Studio distinguishes the two.
  const reads = inputs.length > 0 || kinds.some((word) => READS.test(word));
  const answersText = outputs.includes("text") && (inputs.length === 0 || inputs.includes("text"));
  const other =
    kinds.find((word) => OTHER.test(word) || MEDIA.test(word)) ??
    abilities.find((word) => OTHER.test(word)) ??
    wordsOf(entry["labels"]).find((word) => MADE.test(word)) ??
    (outputs.length > 0 ? `${inputs.join("+")}->${outputs.join("+")}` : null);
  return {
    task: answersText || words.some((word) => CHAT.test(word)) ? "chat-completion" : other,
    vision: sees ? true : reads ? false : null,
  };
}

/** What goes in and comes out, as OpenRouter writes it: `text+image->text`, or two lists. */
function flowOf(entry: Members, kinds: readonly string[]) {
  const architecture = entry["architecture"];
  const members = isMembers(architecture) ? architecture : {};
  const arrows = [...kinds, ...wordsOf(members["modality"])].find((word) => word.includes("->"));
  const [from = "", to = ""] = arrows?.split("->") ?? [];
  const inputs = wordsOf(members["input_modalities"]);
  const outputs = wordsOf(members["output_modalities"]);
  return {
    inputs: inputs.length > 0 ? inputs : partsOf(from),
    outputs: outputs.length > 0 ? outputs : partsOf(to),
  };
}

const partsOf = (side: string): string[] => side.split("+").filter((part) => part !== "");

/** A member in any of the forms in which engines write it; of `{"chat": true}` the word is "chat". */
function wordsOf(value: unknown): string[] {
  if (typeof value === "string") return [normalized(value)];
  const words = Array.isArray(value)
    ? value.slice(0, MOST_LISTED_WORDS).filter((word) => typeof word === "string")
    : isMembers(value)
      ? Object.keys(value)
          .slice(0, MOST_LISTED_WORDS)
          .filter((name) => value[name] === true)
      : [];
  return words.map(normalized);
}

const normalized = (word: string): string =>
  word
    .slice(0, LONGEST_LISTED_WORD)
    .trim()
    .toLowerCase()
    .replace(/[\s_]+/g, "-");
