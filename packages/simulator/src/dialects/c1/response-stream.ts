import type { Call } from "./core1.js";
import { Core1Error } from "./errors.js";
import { messageItem, textPart } from "./response-object.js";
import type { Making } from "./responses.js";
import { toJson } from "./system-text-json.js";

/** What the service's text writer holds back: chunks are of this length, wherever they cut an event. */
const WRITER_CHARACTERS = 1024;

/** A response as a stream of typed events. Who leaves ends the generation. */
export async function streamResponse({ request }: Call, making: Making): Promise<void> {
  const { reply, record } = request;
  const events = new BufferedEvents((text) => reply.event(text));
  reply.start();
  const response = making.object("in_progress", [], null);
  events.emit("response.created", { response });
  events.emit("response.in_progress", { response });
  try {
    const run = making.begin();
    const id = making.messageId;
    const place = { item_id: id, output_index: 0 };
    const part = { ...place, content_index: 0 };
    events.emit("response.output_item.added", {
      ...place,
      item: messageItem(id, "", "in_progress"),
    });
    events.emit("response.content_part.added", { ...part, part: textPart("") });
    let text = "";
    for await (const delta of run.tokens) {
      text += delta;
      events.emit("response.output_text.delta", { ...part, delta, logprobs: [] });
      if (!request.clientGone()) record.tokensSent = record.tokensGenerated;
    }
    if (run.left) {
      reply.abandon();
      return;
    }
    const output = making.output(text);
    events.emit("response.output_text.done", { ...part, text, logprobs: [] });
    events.emit("response.content_part.done", { ...part, part: textPart(text) });
    for (const [output_index, item] of output.entries()) {
      const itemPlace = { item_id: item.id, output_index };
      if (output_index > 0) events.emit("response.output_item.added", { ...itemPlace, item });
      events.emit("response.output_item.done", { ...itemPlace, item });
    }
    const completed = making.object("completed", output, null);
    making.keep(completed, text);
    events.emit("response.completed", { response: completed });
  } catch (error) {
    if (!(error instanceof Core1Error)) throw error;
    events.emit("response.failed", { response: making.object("failed", [], error) });
  }
  events.done();
  reply.end();
}

/** Events one after the other, sent when enough of them have come together. */
class BufferedEvents {
  #held = "";
  #sequence = 0;

  constructor(private readonly send: (text: string) => void) {}

  emit(type: string, members: object): void {
    const data = { type, ...members, sequence_number: this.#sequence };
    this.#sequence += 1;
    this.#write(`event: ${type}\ndata: ${toJson(data)}\n\n`);
  }

  done(): void {
    this.#write("data: [DONE]\n\n");
    if (this.#held !== "") this.send(this.#held);
    this.#held = "";
  }

  #write(text: string): void {
    this.#held += text;
    while (this.#held.length >= WRITER_CHARACTERS) {
      this.send(this.#held.slice(0, WRITER_CHARACTERS));
      this.#held = this.#held.slice(WRITER_CHARACTERS);
    }
  }
}
