import type { InputRequests, InputRequiredResult } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { RequestContext } from "./requests.js";
import type { TaskCall } from "./tasks.js";

/** What came of a question: `cancel` is no answer. */
export type UserAnswer = "accept" | "decline" | "cancel";

/** A person may be away from the machine. */
const ANSWER_MS = 10 * 60_000;

/** Thrown by a tool that needs an answer of the user. The call is made again with the answer. */
export class UserQuestion extends Error {
  readonly key: string;

  /** @param key The same in the question and its answer. */
  constructor(key: string, words: string) {
    super(words);
    this.key = key;
  }

  /** The result of a call without a handshake: the host asks, and makes the call again. */
  get result(): InputRequiredResult {
    return { resultType: "input_required", inputRequests: this.#requests };
  }

  /** Asks through the task that the call was answered with; returns the request with the answer. */
  async askedThrough(task: TaskCall, request: RequestContext): Promise<RequestContext> {
    const answers = await task.ask(this.#requests, ANSWER_MS);
    const inputResponses = { [this.key]: { action: "cancel" as const }, ...answers };
    return { ...request, inputResponses };
  }

  /** Asks a host with a handshake; returns the request with the answer. */
  async askedIn(request: RequestContext): Promise<RequestContext> {
    const { send, signal } = request;
    const question = { method: "elicitation/create", params: this.#form } as const;
    const action = await send(question, { signal, timeout: ANSWER_MS }).then(
      (answer) => answer.action,
      // A host that fails to ask has no answer.
      () => "cancel" as const,
    );
    return { ...request, inputResponses: { [this.key]: { action } } };
  }

  get #requests(): InputRequests {
    return { [this.key]: { method: "elicitation/create", params: this.#form } };
  }

  get #form() {
    return {
      mode: "form" as const,
      message: this.message,
      // Nothing to fill in: to accept the form is the answer.
      requestedSchema: { type: "object" as const, properties: {} },
    };
  }
}

const answerSchema = z.looseObject({ action: z.enum(["accept", "decline", "cancel"]) });

/** The answer that came with a request; `null`: the question was not asked. */
export function userAnswer(
  { inputResponses }: Pick<RequestContext, "inputResponses">,
  key: string,
): UserAnswer | null {
  return answerSchema.safeParse(inputResponses?.[key]).data?.action ?? null;
}
