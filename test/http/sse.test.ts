import { describe, expect, it } from "vitest";
import { readEvents } from "../../src/http/event-parser.js";
import type { StreamEvent } from "../../src/http/types.js";
import { FoundryError } from "../../src/lib/errors.js";

const utf8 = new TextEncoder();

async function* inChunks(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function eventsIn(chunks: readonly Uint8Array[], limit = 1e6): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const { data, event, value } of readEvents(inChunks(chunks), limit)) {
    if (value !== undefined) expect(value).toEqual(JSON.parse(data));
    events.push({ data, event });
  }
  return events;
}

function eventsOfText(text: string, limit?: number): Promise<StreamEvent[]> {
  return eventsIn([utf8.encode(text)], limit);
}

/** Cut before each of the given positions. */
function cut(bytes: Uint8Array, ...positions: number[]): Uint8Array[] {
  const bounds = [0, ...positions, bytes.length];
  return bounds.slice(1).map((end, index) => bytes.subarray(bounds[index], end));
}

const event = (data: string, name: string | null = null): StreamEvent => ({ data, event: name });

const S_CHUNK =
  '{"model":"m:3","choices":[{"delta":{"role":"assistant","content":"ence","tool_calls":[]},' +
  '"message":{"role":"assistant","content":"ence","tool_calls":[]},"index":0}],' +
  '"IsDelta":false,"Successful":true,"HttpStatusCode":0,"object":"chat.completion.chunk"}';
const USAGE = '{"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}}';
const FAILED = '{"error":{"code":null,"message":"token generation failed","type":"server_error"}}';
const BUSY = '{"error":{"code":400,"message":"the request exceeds the context {size}"}}';
const PRETTY = '{\n  "choices": [\n    {\n      "text": "}]"\n    }\n  ],\n\n  "n": null\n}';
const EMOJI = '{"choices":[{"delta":{"content":"Grüße 👩‍👩‍👧 – 你好 🎉"}}]}';

/** One stream of each kind that services send, with its events. */
const STREAMS: Record<string, { text: string; events: StreamEvent[] }> = {
  "S, with delta and message in each chunk": {
    text: `data: ${S_CHUNK}\n\ndata: [DONE]\n\n`,
    events: [event(S_CHUNK), event("[DONE]")],
  },
  "C1, with CRLF and comments": {
    text: `: connected\r\n\r\ndata: ${S_CHUNK}\r\n\r\n:\r\n\r\ndata: [DONE]\r\n\r\n`,
    events: [event(S_CHUNK), event("[DONE]")],
  },
  "C2, with an error inside and no [DONE]": {
    text: `data: {"choices":[]}\n\ndata: ${FAILED}\n\n`,
    events: [event('{"choices":[]}'), event(FAILED)],
  },
  "C2, with a usage chunk and keep-alive comments": {
    text: `: keep-alive\n\ndata: ${USAGE}\n\n: keep-alive\n\n: keep-alive\n\ndata: [DONE]\n\n`,
    events: [event(USAGE), event("[DONE]")],
  },
  "C2, with a named error event": {
    text: `event: error\ndata: ${FAILED}\n\n`,
    events: [event(FAILED, "error")],
  },
  "responses, with a name on every event": {
    text: 'event: response.created\ndata: {"n":0}\n\nevent: response.failed\ndata: {"n":1}\n\ndata: [DONE]\n\n',
    events: [
      event('{"n":0}', "response.created"),
      event('{"n":1}', "response.failed"),
      event("[DONE]"),
    ],
  },
  "text of several bytes a character": {
    text: `data: ${EMOJI}\n\ndata: {"x":"é"}\n\n`,
    events: [event(EMOJI), event('{"x":"é"}')],
  },
  "bare carriage returns": {
    text: 'data: {"a":1}\r\rdata: [DONE]\r\r',
    events: [event('{"a":1}'), event("[DONE]")],
  },
  "a byte order mark": {
    text: '\ufeffdata: {"a":1}\n\n',
    events: [event('{"a":1}')],
  },
  "data on several lines, with and without the space": {
    text: "data: one\ndata:two\ndata:\ndata:  four\n\n",
    events: [event("one\ntwo\n\n four")],
  },
  "unknown fields": {
    text: 'id: 7\nretry: 10\nfoo: bar\ndata: {"a":1}\nbaz\n\n',
    events: [event('{"a":1}')],
  },
  "an end right after [DONE]": {
    text: 'data: {"a":1}\n\ndata: [DONE]',
    events: [event('{"a":1}'), event("[DONE]")],
  },
  "an end after one line break": {
    text: 'data: {"a":1}\n\ndata: {"b":"🎉"}\r\n',
    events: [event('{"a":1}'), event('{"b":"🎉"}')],
  },
  "no blank line between events": {
    text: `data: ${S_CHUNK}\ndata: ${USAGE}\ndata: [DONE]\n`,
    events: [event(S_CHUNK), event(USAGE), event("[DONE]")],
  },
  "no line break between events": {
    text: 'data: {"a":1}{"b":[2]} [DONE]',
    events: [event('{"a":1}'), event('{"b":[2]}'), event("[DONE]")],
  },
  "empty data, comments and other fields around events": {
    text: 'data:\n\ndata: \n\n: ping\n\nretry: 3\n\nid: 7\n\nid\n\nevent: a\n\ndata: {"a":1}\n\ndata\n\n',
    events: [event('{"a":1}')],
  },
  "events that a proxy has framed once more": {
    text: 'data: data: {"a":1}\n\ndata: data: [DONE]\n\n',
    events: [event('{"a":1}'), event("[DONE]")],
  },
  "an indented line": { text: '  data: {"a":1}\n\n', events: [event('{"a":1}')] },
  "a JSON for each line": {
    text: '{"a":1}\n{"b":[2]}\r\n\n{"c":{}}',
    events: [event('{"a":1}'), event('{"b":[2]}'), event('{"c":{}}')],
  },
  "one JSON document on many lines": {
    text: `\n\n${PRETTY}\n`,
    events: [event(PRETTY.replaceAll("\n", "").replace(/ {2,}/g, ""))],
  },
  "an error as a field of its own": {
    text: `error: ${BUSY.slice(9, -1)}\n\ndata: [DONE]\n\n`,
    events: [event(BUSY, "error"), event("[DONE]")],
  },
  "an error in words as a field of its own": {
    text: "error: out of {memory}\n\n",
    events: [event('{"error":"out of {memory}"}', "error")],
  },
  "an error without data:": {
    text: `data: {"a":1}\n\n${BUSY}\n\ndata: [DONE]\n\n`,
    events: [event('{"a":1}'), event(BUSY), event("[DONE]")],
  },
  "half a JSON without data:": {
    text: '{"error":{"mess\n\ndata: {"a":1}\n\n',
    events: [event('{"a":1}')],
  },
  "a sentence that begins with a bracket": {
    text: "[x] is {no} JSON\n\ndata: [x] is {no} JSON\n\n",
    events: [event("[x] is {no} JSON")],
  },
  "half a JSON, then another event": {
    text: 'data: {"a":\n\ndata: {"b":1}\n\n',
    events: [event('{"a":'), event('{"b":1}')],
  },
  "JSON on several data lines": {
    text: 'data: {"a":\ndata: [1,\ndata: 2]}\n\n',
    events: [event('{"a":[1,2]}')],
  },
  "an end in the middle of an event": {
    text: 'data: {"a":1}\n\ndata: {"b":"ha',
    events: [event('{"a":1}')],
  },
};

describe("the event reader", () => {
  it.each(Object.entries(STREAMS))("reads %s", async (_name, { text, events }) => {
    expect(await eventsOfText(text)).toEqual(events);
  });

  it.each(Object.entries(STREAMS))(
    "reads %s the same wherever it is cut in two",
    async (_name, { text, events }) => {
      const bytes = utf8.encode(text);
      for (let at = 0; at <= bytes.length; at += 1) {
        expect(await eventsIn(cut(bytes, at)), `cut at ${at}`).toEqual(events);
      }
    },
  );

  it.each(Object.entries(STREAMS))(
    "reads %s the same in chunks of one byte",
    async (_name, { text, events }) => {
      const bytes = utf8.encode(text);
      expect(await eventsIn(cut(bytes, ...bytes.keys()))).toEqual(events);
    },
  );

  it.each(Object.entries(STREAMS).filter(([, { text }]) => text.length < 80))(
    "reads %s the same wherever it is cut in three",
    async (_name, { text, events }) => {
      const bytes = utf8.encode(text);
      for (let first = 0; first <= bytes.length; first += 1) {
        for (let second = first; second <= bytes.length; second += 1) {
          expect(await eventsIn(cut(bytes, first, second)), `${first}, ${second}`).toEqual(events);
        }
      }
    },
  );

  it("emits an event before the next chunk arrives", async () => {
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield utf8.encode("data: 1\n\n");
      await new Promise(() => {});
    }
    const events = readEvents(chunks(), 100);
    expect(await events.next()).toEqual({ done: false, value: event("1") });
  });

  it("emits complete JSON before its line has ended", async () => {
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield utf8.encode('data: {"a":1}');
      await new Promise(() => {});
    }
    const events = readEvents(chunks(), 100);
    expect(await events.next()).toEqual({
      done: false,
      value: { ...event('{"a":1}'), value: { a: 1 } },
    });
  });

  it.each([
    ["plain words", "Internal\nServer Error"],
    ["a page", '<html>\n{"a":1}\ndata: {"a":1}\n</html>'],
    ["half a JSON", '{"a": [1,'],
    ["half an event", 'data: {"a": [1,'],
  ])("returns the beginning of a body that is %s, after blanks", async (_what, body) => {
    const events = readEvents(inChunks(["  ", body].map((part) => utf8.encode(part))), 1e6);
    const unread = body.replace(/^data: /, "");
    expect(await events.next()).toEqual({ done: true, value: unread });
  });

  it.each(["data: ", ""])("parses no event of millions of values, after %j", async (field) => {
    const data = `[${"{},".repeat(2_000_000)}{}]`;
    const events = readEvents(inChunks([utf8.encode(`${field}${data}\n\n`)]), 1e8);
    expect((await events.next()).value).not.toHaveProperty("value");
  });

  it("replaces bytes that are not UTF-8 instead of failing", async () => {
    const bytes = new Uint8Array([...utf8.encode("data: a"), 0xff, ...utf8.encode("b\n\n")]);
    expect(await eventsIn([bytes])).toEqual([event("a\ufffdb")]);
  });

  it("finds no event in an empty body or in comments", async () => {
    expect(await eventsOfText("")).toEqual([]);
    expect(await eventsOfText(": keep-alive\n\n\n\n: keep-alive")).toEqual([]);
  });

  it("accepts an event of exactly the limit and refuses one more character", async () => {
    expect(await eventsOfText(`data: ${"x".repeat(20)}\n\n`, 20)).toHaveLength(1);
    const refused = eventsOfText(`data: ${"x".repeat(21)}\n\n`, 20);
    await expect(refused).rejects.toMatchObject({ code: "RESPONSE_TOO_LARGE" });
  });

  it("refuses an event that never ends, after the events before it", async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      yield utf8.encode("data: 1\n\n");
      for (;;) yield utf8.encode("data: xxxxxxxxxxxxxxxx\n");
    }
    const events = readEvents(endless(), 100);
    expect((await events.next()).value).toEqual(event("1"));
    const refused = events.next();
    await expect(refused).rejects.toBeInstanceOf(FoundryError);
    await expect(refused).rejects.toMatchObject({ code: "RESPONSE_TOO_LARGE", retryable: false });
  });
});
