import { setImmediate } from "node:timers/promises";
import { createParser } from "eventsource-parser";
import { EVENTS_PER_TURN, FoundryError, jsonFrom, STREAM_BYTES_PER_TURN } from "../lib/index.js";
import type { StreamEvent } from "./types.js";

/**
 * The events of a `text/event-stream` body, however it is cut into chunks. Comments are skipped:
 * newer services send `: keep-alive` while they think. What comes without a pause is worked on in
 * turns, so that timers and other calls have theirs.
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
  const withLineFeeds = lineFeeds();
  let events = 0;
  let bytes = 0;

  for await (const chunk of chunks) {
    bytes += chunk.length;
    parser.feed(withLineFeeds(decoder.decode(chunk, { stream: true })));
    for (const event of arrived.splice(0)) {
      yield event;
      events += 1;
      if (events % EVENTS_PER_TURN === 0) await setImmediate();
    }
    if (tooLarge) throw eventTooLarge(maxCharacters);
    if (bytes >= STREAM_BYTES_PER_TURN) {
      bytes = 0;
      await setImmediate();
    }
  }

  // A last event without its blank line is thrown away by the standard. Services do end like that
  // after `data: [DONE]`, so it is kept when nothing can be missing from it, and only then: half a
  // JSON would be reported as an invalid answer where the truth is that the stream broke off.
  parser.feed(withLineFeeds(decoder.decode()));
  if (!tooLarge) parser.feed("\n\n");
  const last = arrived.splice(0);
  if (tooLarge) throw eventTooLarge(maxCharacters);
  yield* last.filter(({ data }) => isWhole(data));
}

/** CRLF and CR as LF. At each line the parser searches all the rest of a chunk for a CR if there is one. */
function lineFeeds(): (text: string) => string {
  let endedWithReturn = false;
  return (text) => {
    if (text === "") return "";
    const own = endedWithReturn && text.startsWith("\n") ? text.slice(1) : text;
    endedWithReturn = text.endsWith("\r");
    return own.includes("\r") ? own.replace(/\r\n?/g, "\n") : own;
  };
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
