import { createParser } from "eventsource-parser";
import { FoundryError } from "../errors.js";
import { jsonFrom } from "../json.js";
import type { StreamEvent } from "./types.js";

/**
 * The events of a `text/event-stream` body, however it is cut into chunks. Comments are skipped:
 * newer services send `: keep-alive` while they think.
 *
 * @param maxCharacters Largest event; a larger one is an error, since its end may never come.
 */
export async function* readEvents(
  chunks: AsyncIterable<Uint8Array>,
  maxCharacters: number,
): AsyncGenerator<StreamEvent, void, undefined> {
  const arrived: StreamEvent[] = [];
  let tooLarge = false;
  const parser = createParser({
    maxBufferSize: maxCharacters,
    onEvent: ({ data, event }) => {
      // The parser bounds only what it keeps between chunks, not an event inside one.
      if (data.length > maxCharacters) tooLarge = true;
      else arrived.push({ data, event: event ?? null });
    },
    onError: (error) => {
      if (error.type === "max-buffer-size-exceeded") tooLarge = true;
    },
  });
  const decoder = new TextDecoder();

  for await (const chunk of chunks) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    yield* arrived.splice(0);
    if (tooLarge) throw eventTooLarge(maxCharacters);
  }

  // A last event without its blank line is thrown away by the standard. Services do end like that
  // after `data: [DONE]`, so it is kept when nothing can be missing from it, and only then: half a
  // JSON would be reported as an invalid answer where the truth is that the stream broke off.
  parser.feed(decoder.decode());
  if (!tooLarge) parser.feed("\n\n");
  const last = arrived.splice(0);
  if (tooLarge) throw eventTooLarge(maxCharacters);
  yield* last.filter(({ data }) => isWhole(data));
}

function isWhole(data: string): boolean {
  return data.trim() === "[DONE]" || jsonFrom(data) !== undefined;
}

function eventTooLarge(maxCharacters: number): FoundryError {
  return new FoundryError(
    "RESPONSE_TOO_LARGE",
    `The service sent an event of more than ${maxCharacters} characters.`,
    { action: "Ask for less, or look what answers at the endpoint." },
  );
}
