import { setImmediate } from "node:timers/promises";
import { EVENTS_PER_TURN, FoundryError, STREAM_BYTES_PER_TURN } from "../lib/index.js";
import { EventParser } from "./event-parser.js";
import type { StreamEvent } from "./types.js";

/**
 * The events of a streamed body, however it is cut into chunks and whatever its `Content-Type`.
 * Comments are skipped: newer services send `: keep-alive` while they think. What comes without a
 * pause is worked on in turns, so that timers and other calls have theirs.
 *
 * @param maxCharacters Largest event; a larger one is an error, since its end may never come.
 * @returns The beginning of a body without any event, such as a page or plain words; `null` otherwise.
 */
export async function* readEvents(
  chunks: AsyncIterable<Uint8Array>,
  maxCharacters: number,
): AsyncGenerator<StreamEvent, string | null, undefined> {
  const parser = new EventParser(maxCharacters);
  const decoder = new TextDecoder();
  const withLineFeeds = lineFeeds();
  let events = 0;
  let bytes = 0;

  for await (const chunk of chunks) {
    bytes += chunk.length;
    parser.feed(withLineFeeds(decoder.decode(chunk, { stream: true })));
    for (const event of parser.arrived.splice(0)) {
      yield event;
      events += 1;
      if (events % EVENTS_PER_TURN === 0) await setImmediate();
    }
    if (parser.isTooLarge) throw eventTooLarge(maxCharacters);
    if (bytes >= STREAM_BYTES_PER_TURN) {
      bytes = 0;
      await setImmediate();
    }
  }

  parser.feed(withLineFeeds(decoder.decode()));
  parser.end();
  const last = parser.arrived.splice(0);
  if (parser.isTooLarge) throw eventTooLarge(maxCharacters);
  yield* last;
  return events + last.length === 0 ? parser.unread : null;
}

/** The events of a body that has come whole. */
export function eventsIn(body: string): readonly StreamEvent[] {
  const parser = new EventParser(Number.POSITIVE_INFINITY);
  parser.feed(lineFeeds()(body));
  parser.end();
  return parser.arrived;
}

/** CRLF and CR as LF. */
function lineFeeds(): (text: string) => string {
  let endedWithReturn = false;
  return (text) => {
    if (text === "") return "";
    const own = endedWithReturn && text.startsWith("\n") ? text.slice(1) : text;
    endedWithReturn = text.endsWith("\r");
    return own.includes("\r") ? own.replace(/\r\n?/g, "\n") : own;
  };
}

function eventTooLarge(maxCharacters: number): FoundryError {
  return new FoundryError(
    "RESPONSE_TOO_LARGE",
    `The service sent an event of more than ${maxCharacters} characters.`,
    { action: "Ask for less, or look what answers at the endpoint." },
  );
}
