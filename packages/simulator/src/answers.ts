import * as z from "zod";

/** An answer for the prompts that it matches, in place of what the model would say. */
export interface ScriptedAnswer {
  /**
   * A part of the last user message, in whatever case, or an expression that is tested against it.
   * Default: every prompt matches.
   */
  readonly match?: string | RegExp | undefined;
  /** The text of the answer, which is streamed token by token. */
  readonly reply?: string | undefined;
  /**
   * Tool calls, whether or not the request declares tools. Not given after the result of a tool, where
   * the next answer that matches ends the exchange.
   */
  readonly toolCalls?: readonly { readonly name: string; readonly arguments: object }[] | undefined;
  /** An object whose JSON is the text of the answer. */
  readonly json?: object | undefined;
  /** An answer with this HTTP status, its body worded as the dialect words its errors. */
  readonly error?: { readonly status: number; readonly message: string } | undefined;
  /** Milliseconds before the first token, in place of `firstTokenMs`. Alone or with one of the others. */
  readonly delayMs?: number | undefined;
}

const KINDS = ["reply", "toolCalls", "json", "error"] as const;

const members = z.record(z.string(), z.unknown());
const answerSchema = z.strictObject({
  match: z.union([z.string(), z.instanceof(RegExp)], "expected a text or a RegExp").optional(),
  reply: z.string().optional(),
  toolCalls: z
    .array(z.strictObject({ name: z.string().min(1), arguments: members }))
    .min(1)
    .optional(),
  json: members.optional(),
  error: z
    .strictObject({ status: z.number().int().min(400).max(599), message: z.string() })
    .optional(),
  delayMs: z.number().min(0).optional(),
});

/** @throws when an answer does not fit; says which and why. */
export function checkedAnswers(answers: unknown): readonly ScriptedAnswer[] {
  if (!Array.isArray(answers)) throw new Error("answers: expected an array of answers");
  return answers.map((answer: unknown, index) => {
    const parsed = answerSchema.safeParse(answer);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new Error(`${placeOf(index, issue?.path ?? [])}: ${issue?.message}`);
    }
    const given = KINDS.filter((kind) => parsed.data[kind] !== undefined);
    if (given.length > 1) {
      throw new Error(`answers[${index}]: has ${given.join(" and ")}, of which one is allowed`);
    }
    if (given.length === 0 && parsed.data.delayMs === undefined) {
      throw new Error(`answers[${index}]: has none of ${KINDS.join(", ")}, delayMs`);
    }
    return parsed.data;
  });
}

/**
 * Answers out of JSON, in which `"/text/flags"` as `match` stands for an expression.
 *
 * @throws when an answer does not fit; says which and why.
 */
export function answersFromJson(answers: unknown): readonly ScriptedAnswer[] {
  return checkedAnswers(answers).map((answer, index) => {
    if (typeof answer.match !== "string") return answer;
    const [, source, flags] = /^\/(.+)\/([a-z]*)$/s.exec(answer.match) ?? [];
    if (source === undefined) return answer;
    try {
      return { ...answer, match: new RegExp(source, flags) };
    } catch (error) {
      throw new Error(`answers[${index}].match: ${error instanceof Error ? error.message : error}`);
    }
  });
}

/**
 * The first answer that matches the last user message; `null` when there is none.
 *
 * @param afterResult whether the last message is the result of a tool.
 */
export function answerFor(
  answers: readonly ScriptedAnswer[],
  prompt: string,
  afterResult: boolean,
): ScriptedAnswer | null {
  const possible = answers.filter(({ toolCalls }) => toolCalls === undefined || !afterResult);
  return possible.find(({ match }) => isMatch(match, prompt)) ?? null;
}

function isMatch(match: string | RegExp | undefined, prompt: string): boolean {
  if (match === undefined) return true;
  if (typeof match === "string") return prompt.toLowerCase().includes(match.toLowerCase());
  return prompt.search(match) >= 0;
}

function placeOf(index: number, path: readonly PropertyKey[]): string {
  const inner = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`));
  return `answers[${index}]${inner.join("")}`;
}
