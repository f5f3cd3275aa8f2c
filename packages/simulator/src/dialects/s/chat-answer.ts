import type { ChatBody } from "../chat-body.js";
import { seconds } from "../ids.js";
import { dotnetTime } from "./answers.js";
import { BETALGO } from "./lists.js";
import type { Service } from "./service.js";

/** An answer as S writes it, whole or in chunks. Thoughts and tool calls are part of its text. */
export class AnswerForm {
  readonly #id: string;
  readonly #created = seconds();
  #text = "";
  #tokens = 0;

  constructor(
    private readonly service: Service,
    private readonly chat: ChatBody,
    private readonly inputTokens: number,
  ) {
    this.#id = service.nextAnswerId();
  }

  add(token: string): void {
    this.#text += token;
    this.#tokens += 1;
  }

  chunk(token: string): object {
    this.add(token);
    return this.#object("chat.completion.chunk", token, {}, this.#streamUsage());
  }

  /** Only on the revisions that send a finish_reason in streams. */
  lastChunk(): object {
    const finish = { finish_reason: this.#finish() };
    return this.#object("chat.completion.chunk", "", finish, this.#streamUsage());
  }

  whole(): object {
    const usage = this.service.switches.usage === "null" ? { usage: null } : {};
    const finish = { finish_reason: this.#finish() };
    return this.#object("chat.completion", this.#text, finish, usage);
  }

  #object(object: string, content: string, finish: object, usage: object): object {
    const message = { role: "assistant", content, tool_calls: [] };
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
  #finish(): "stop" | "length" {
    return this.#tokens >= (this.chat.maxTokens ?? Infinity) ? "length" : "stop";
  }

  #streamUsage(): object {
    if (!this.service.switches.streamUsage) return {};
    const [prompt_tokens, completion_tokens] = [this.inputTokens, this.#tokens];
    const total_tokens = prompt_tokens + completion_tokens;
    return { usage: { prompt_tokens, completion_tokens, total_tokens } };
  }
}
