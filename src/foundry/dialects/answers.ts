import * as z from "zod";
import type { HttpAnswer } from "../../http/index.js";
import {
  answerFrom,
  FoundryError,
  HIGHEST_PID,
  isMembers,
  LONGEST_MODEL_NAME,
  MAX_TOKEN_COUNT,
} from "../../lib/index.js";
import { type Members, purposeOf } from "./listed-task.js";

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

/** What a body is, for people, without quoting it. */
export function kindOf(answer: Pick<HttpAnswer, "body">): string {
  const body = answer.body.trim();
  if (body === "") return "nothing";
  if (/^<(!doctype|html|\?xml)/i.test(body)) return "a web page";
  if (answerFrom(answer.body) !== undefined) return "other JSON";
  if (body.startsWith("{") || body.startsWith("[")) return "broken JSON";
  return "other text";
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
