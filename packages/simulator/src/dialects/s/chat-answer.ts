import type { ToolCall } from "../../engine/script.js";
import type { ChatBody } from "../chat-body.js";
import { callId, seconds } from "../ids.js";
import { dotnetTime } from "./answers.js";
import { BETALGO } from "./lists.js";
import type { Service } from "./service.js";

/**
 * An answer as S writes it, whole or in chunks. Thoughts and tool calls are part of its text, but
 * for scripted calls, which are structured as on the later cores.
 */
export class AnswerForm {
  readonly #id: string;
  readonly #created = seconds();
  #text = "";
  #tokens = 0;

  constructor(
    private readonly service: Service,
    private readonly chat: ChatBody,
    private readonly calls: readonly ToolCall[],
    private readonly inputTokens: number,
  ) {
    this.#id = service.nextAnswerId();
  }

  add(token: string): void {
    this.#text += token;
    this.#tokens += 1;
  }

  /** `null`: the token is part of a scripted call. */
  chunk(token: string): object | null {
    this.add(token);
    if (this.calls.length > 0) return null;
    return this.#object("chat.completion.chunk", token, {}, this.#streamUsage());
  }

  /** The scripted calls, or the finish_reason on the revisions that send it in streams. */
  lastChunk(): object | null {
    const hasFinish = this.service.switches.streamFinish === "given";
    if (!hasFinish && this.calls.length === 0) return null;
    const finish = { finish_reason: this.#finish() };
    const usage = this.#streamUsage();
    return this.#object("chat.completion.chunk", "", finish, usage, this.#toolCalls());
  }

  whole(): object {
    const usage = this.service.switches.usage === "null" ? { usage: null } : {};
    const finish = { finish_reason: this.#finish() };
    const text = this.calls.length === 0 ? this.#text : "";
    return this.#object("chat.completion", text, finish, usage, this.#toolCalls());
  }

  #object(
    object: string,
    content: string,
    finish: object,
    usage: object,
    tool_calls: readonly object[] = [],
  ): object {
    const message = { role: "assistant", content, tool_calls };
    return {
      model: this.chat.model,
      // Both, for an old library's sake, and always the same.
      choices: [{ delta: message, message, index: 0, ...finish }],
      ...usage,
      created: this.#created,
      CreatedAt: dotnetTime(this.#created),
      id: this.#id,
      ...BETALGO,
      object,
    };
  }

  /** An answer that is cut at the service's own limit ends with `stop` (#217). */
  #finish(): "stop" | "length" | "tool_calls" {
    if (this.calls.length > 0) return "tool_calls";
    return this.#tokens >= (this.chat.maxTokens ?? Infinity) ? "length" : "stop";
  }

  #toolCalls(): readonly object[] {
    return this.calls.map(({ name, arguments: given }, index) => ({
      index,
      id: callId(),
      type: "function",
      function: { name, arguments: JSON.stringify(given) },
    }));
  }

  #streamUsage(): object {
    if (!this.service.switches.streamUsage) return {};
    const [prompt_tokens, completion_tokens] = [this.inputTokens, this.#tokens];
    const total_tokens = prompt_tokens + completion_tokens;
    return { usage: { prompt_tokens, completion_tokens, total_tokens } };
  }
}
