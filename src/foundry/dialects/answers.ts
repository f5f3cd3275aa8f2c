import { z } from "zod";
import { FoundryError } from "../../errors.js";
import type { HttpAnswer } from "../../http/index.js";
import { jsonFrom } from "../../json.js";

/** Parses the JSON body of an answer, or `undefined` where it is none. */
export const jsonOf = (answer: HttpAnswer): unknown => jsonFrom(answer.body);

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
        "Check that FOUNDRY_ENDPOINT is the address of the service itself, not of a web page or a proxy; restart the service if it is.",
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

/** `GET /models/loaded` of C1 and C2. */
export const loadedIdsSchema = z.array(z.string());

/** `GET /v1/models`, of every server; unknown members are theirs. */
export const modelListSchema = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      /** C1: the alias. */
      parent: z.string().nullish().catch(null),
      /** vLLM: the context length. */
      max_model_len: z.number().int().positive().nullish().catch(null),
    }),
  ),
});
