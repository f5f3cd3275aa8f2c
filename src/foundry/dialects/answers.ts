import { z } from "zod";
import type { HttpAnswer } from "../../http/index.js";
import {
  FoundryError,
  HIGHEST_PID,
  hasMoreValues,
  jsonFrom,
  LONGEST_MODEL_NAME,
  MAX_TOKEN_COUNT,
  MOST_ANSWER_VALUES,
} from "../../lib/index.js";

/** Parses the JSON body of an answer, or `undefined` where it is none. */
export const jsonOf = ({ body }: HttpAnswer): unknown =>
  hasMoreValues(body, MOST_ANSWER_VALUES) ? undefined : jsonFrom(body);

/**
 * The body of an answer as what its route answers.
 *
 * @throws FoundryError `INVALID_RESPONSE` when it is not: HTML, half a JSON, something else.
 */
export function parseAnswer<T extends z.ZodType>(
  answer: HttpAnswer,
  schema: T,
  route: string,
): z.output<T> {
  const parsed = schema.safeParse(jsonOf(answer));
  if (parsed.success) return parsed.data;
  throw new FoundryError(
    "INVALID_RESPONSE",
    `${route} answered ${kindOf(answer)} instead of what Foundry Local answers there.`,
    {
      status: answer.status,
      action:
        "Check that the option `endpoint` is the address of the service itself, not of a web page or a proxy; restart the service if it is.",
      detail: `${z.prettifyError(parsed.error)}\n${answer.body.slice(0, 2000)}`,
    },
  );
}

/** What a body is, for people, without quoting it. */
export function kindOf(answer: HttpAnswer): string {
  const body = answer.body.trim();
  if (body === "") return "nothing";
  if (/^<(!doctype|html|\?xml)/i.test(body)) return "a web page";
  if (jsonOf(answer) !== undefined) return "other JSON";
  if (body.startsWith("{") || body.startsWith("[")) return "broken JSON";
  return "other text";
}

/**
 * Whether a text can be the name of a model: neither empty nor long, and without characters that
 * change how the text around it looks, as those of control and of writing direction do.
 */
export const isModelName = (text: string): boolean =>
  text.trim() !== "" &&
  text.length <= LONGEST_MODEL_NAME &&
  !/[\p{Cc}\p{Bidi_Control}]/u.test(text);

/**
 * A list of ids: `GET /models/loaded` of C1 and C2, and the like of S. An entry that cannot be a model's
 * name is left out and counted; a list without any text is another API's.
 */
export const idListSchema = z
  .array(z.string().nullable().catch(null))
  .refine((entries) => entries.length === 0 || entries.some((entry) => entry !== null))
  .transform((entries) => {
    const ids = entries.flatMap((id) => (id !== null && isModelName(id) ? [id] : []));
    return { ids, leftOut: entries.length - ids.length };
  });

export const pidSchema = z.number().int().positive().max(HIGHEST_PID).nullish().catch(null);

const modelSchema = z.object({
  id: z.string(),
  /** C1: the alias. */
  parent: z.string().refine(isModelName).nullish().catch(null),
  /** vLLM: the context length. */
  max_model_len: z.number().int().positive().max(MAX_TOKEN_COUNT).nullish().catch(null),
});

/**
 * `GET /v1/models`, of every server; unknown members are theirs. An entry without a usable name is left
 * out and counted; a list in which no entry has the shape of a model is another API's.
 */
export const modelListSchema = z
  .object({
    data: z
      .array(modelSchema.nullable().catch(null))
      .refine((entries) => entries.length === 0 || entries.some((entry) => entry !== null)),
  })
  .transform(({ data }) => {
    const usable = data.flatMap((entry) =>
      entry !== null && isModelName(entry.id) ? [entry] : [],
    );
    return { data: usable, leftOut: data.length - usable.length };
  });

/** What a list says of entries that are no models. */
export function leftOutWarning(count: number): string | null {
  if (count === 0) return null;
  return count === 1
    ? "1 entry was left out: its name cannot be used."
    : `${count} entries were left out: their names cannot be used.`;
}
