import { Output } from "../../engine/output.js";
import type { ToolCall } from "../../engine/script.js";
import { callId, seconds } from "../ids.js";
import { dotnetTime } from "./answers.js";
import type { ChatRequest } from "./chat-request.js";
import { BETALGO } from "./lists.js";
import type { Service } from "./service.js";

/** An answer as S writes it down, whole or in chunks. Thoughts and calls are part of the text. */
export class AnswerForm {
  readonly #id: string;
  readonly #created = seconds();
  #text = "";
  #tokens = 0;

  /** @param limit tokens that the request allows; what reaches them was cut. */
  constructor(
    private readonly service: Service,
    private readonly chat: ChatRequest,
    private readonly inputTokens: number,
    private readonly limit: number,
  ) {
    this.#id = service.nextAnswerId();
  }

  add(token: string): void {
    this.#text += token;
    this.#tokens += 1;
  }

  chunk(token: string): object {
    this.add(token);
    return this.#object("chat.completion.chunk", message(token), {}, this.#streamUsage());
  }

  /** Only on revisions that say why a stream ended. */
  lastChunk(): object {
    const finish = { finish_reason: this.#finish() };
    return this.#object("chat.completion.chunk", message(""), finish, this.#streamUsage());
  }

  whole(): object {
    const calls = this.#calls();
    const finish = calls.length > 0 ? "tool_calls" : this.#finish();
    const said = message(
      this.#text,
      calls.map((call) => this.#written(call)),
    );
    return this.#object("chat.completion", said, { finish_reason: finish }, this.#wholeUsage());
  }

  #object(object: string, said: object, finish: object, usage: object): object {
    return {
      model: this.chat.name,
      // Both, for an old library's sake, and always the same.
      choices: [{ delta: said, message: said, index: 0, ...finish }],
      ...usage,
      created: this.#created,
      CreatedAt: dotnetTime(this.#created),
      id: this.#id,
      ...BETALGO,
      object,
    };
  }

  #finish(): "stop" | "length" {
    return this.#tokens >= this.limit ? "length" : "stop";
  }

  #streamUsage(): object {
    return this.service.switches.streamUsage ? { usage: this.#usage() } : {};
  }

  #wholeUsage(): object {
    const { usage } = this.service.switches;
    if (usage === "absent") return {};
    return { usage: usage === "null" ? null : this.#usage() };
  }

  #usage() {
    return {
      prompt_tokens: this.inputTokens,
      completion_tokens: this.#tokens,
      total_tokens: this.inputTokens + this.#tokens,
    };
  }

  #calls(): readonly ToolCall[] {
    const { model, tools } = this.chat;
    const structured = this.service.switches.serviceToolCalls === "structured";
    if (!structured || model.toolMarkers === null || tools.length === 0) return [];
    const { start, end } = model.toolMarkers;
    const output = new Output({ reasoning: null, tools: model.toolMarkers, stop: [] });
    // The markers, which are tokens of their own, and what is between them.
    const pattern = new RegExp(`(${escaped(start)}|${escaped(end)})`);
    return this.#text
      .split(pattern)
      .flatMap((token) => output.push(token))
      .flatMap((piece) => (piece.kind === "calls" ? piece.calls : []));
  }

  #written(call: ToolCall): object {
    const asText = this.service.switches.callArguments === "text";
    const given = asText ? JSON.stringify(call.arguments) : call.arguments;
    return { id: callId(), type: "function", function: { name: call.name, arguments: given } };
  }
}

function message(content: string, calls: readonly object[] = []) {
  return { role: "assistant", content, tool_calls: calls };
}

const escaped = (marker: string) => marker.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
