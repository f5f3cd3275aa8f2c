import { PassThrough } from "node:stream";
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { describe, expect, it } from "vitest";
import {
  DEEPEST_JSON,
  MOST_ANONYMOUS_REFUSALS,
  MOST_IN_FLIGHT,
  MOST_INPUT_WAITING,
  MOST_MESSAGES_IN_LIST,
  MOST_OUTPUT_WAITING,
  MOST_VALUES,
} from "../../../src/lib/limits.js";
import { LineTransport } from "../../../src/mcp/transport/line-transport.js";

async function started(longestLine?: number) {
  const input = new PassThrough();
  const output = new PassThrough();
  const transport = new LineTransport(input, output, longestLine);
  const received: JSONRPCMessage[] = [];
  const state = { isClosed: false };
  transport.onmessage = (message) => void received.push(message);
  transport.onclose = () => {
    state.isClosed = true;
  };
  await transport.start();
  const answers = (): unknown[] =>
    written(output)
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  return { input, output, transport, received, answers, state };
}

/** What was written since the last time. Node 26 reads one piece at a time. */
function written(output: PassThrough): string {
  const pieces: Buffer[] = [];
  for (let piece = output.read(); piece !== null; piece = output.read()) pieces.push(piece);
  return String(Buffer.concat(pieces));
}

const PING = { jsonrpc: "2.0", id: 1, method: "ping" };
/** Waits for turns of the event loop, not for time: one message is handled in each. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 300; turn++) await new Promise(setImmediate);
}

describe("messages over a pair of streams", () => {
  it("arrive complete, at whatever byte they are split", async () => {
    const message = { ...PING, params: { text: "Grüße, 世界 🌍" } };
    const bytes = Buffer.from(`${JSON.stringify(message)}\r\n${JSON.stringify(PING)}\n`);
    for (let at = 1; at < bytes.length; at++) {
      const { input, received } = await started();
      input.write(bytes.subarray(0, at));
      input.write(bytes.subarray(at));
      await settled();
      expect(received).toEqual([message, PING]);
    }
  });

  it("may be sent as a list", async () => {
    const { input, received } = await started();
    input.write(`${JSON.stringify([PING, { ...PING, id: 2 }])}\n`);
    await settled();
    expect(received).toEqual([PING, { ...PING, id: 2 }]);
  });

  it("may be 20 MB long", async () => {
    const { input, received } = await started();
    const message = { ...PING, params: { text: "x".repeat(20_000_000) } };
    input.write(`${JSON.stringify(message)}\n`);
    await settled();
    expect(received).toEqual([message]);
  });

  it("that are invalid JSON are answered as such, and the next one arrives", async () => {
    const { input, received, answers } = await started();
    input.write(`warning: something\n\n{"jsonrpc":\n${JSON.stringify(PING)}\n`);
    await settled();
    expect(received).toEqual([PING]);
    expect(answers()).toMatchObject([{ error: { code: -32700 } }, { error: { code: -32700 } }]);
  });

  it("that are invalid JSON-RPC are answered under their id, so that no caller waits", async () => {
    const { input, answers } = await started();
    input.write(`{"jsonrpc":"2.0","id":"a","method":5}\n{"id":7,"method":"ping"}\n`);
    await settled();
    expect(answers()).toMatchObject([
      { id: "a", error: { code: -32600 } },
      { id: 7, error: { code: -32600 } },
    ]);
  });

  it("that are too long are refused, and the next one arrives", async () => {
    const { input, received, answers } = await started(100);
    input.write("x".repeat(60));
    input.write("x".repeat(60));
    input.write(`x\n${JSON.stringify(PING)}\n`);
    await settled();
    expect(received).toEqual([PING]);
    expect(answers()).toMatchObject([{ error: { code: -32600 } }]);
  });

  it("end with the input", async () => {
    const { input, state } = await started();
    input.end();
    await settled();
    expect(state.isClosed).toBe(true);
  });

  it("end when the output breaks, however often it reports an error", async () => {
    const { output, transport, state } = await started();
    output.destroy(new Error("EPIPE"));
    await expect(transport.send({ jsonrpc: "2.0", id: 1, result: {} })).rejects.toThrow();
    await settled();
    output.emit("error", new Error("EPIPE again"));
    expect(state.isClosed).toBe(true);
  });
});

const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
const ping = (id: unknown): string => JSON.stringify({ ...PING, id });

/** What a client without a handshake says of itself. */
const metaOf = (about: object): object => {
  const said = { protocolVersion: "2026-07-28", clientCapabilities: {}, ...about };
  return Object.fromEntries(
    Object.entries(said).map(([name, value]) => [`io.modelcontextprotocol/${name}`, value]),
  );
};

describe("an odd line", () => {
  it.each<[string, string | Buffer]>([
    ["begins with a byte order mark", `\ufeff${ping(1)}\n`],
    ["ends with a carriage return", `${ping(1)}\r\n`],
    ["comes after one of blanks only", `  \t \n${ping(1)}\n`],
    ["comes after a carriage return alone", `\r\n\r\r\n${ping(1)}\n`],
    ["has blanks around it", `  ${ping(1)}\t\n`],
  ])("is taken where it %s", async (_, bytes) => {
    const { input, received, answers } = await started();
    input.write(bytes);
    await settled();
    expect(received).toEqual([PING]);
    expect(answers()).toEqual([]);
  });

  it.each<[string, string | Buffer, number, unknown]>([
    ["NUL bytes", "\0\0", -32700, undefined],
    ["bytes that are no UTF-8", Buffer.from([0xff, 0xfe, 0xc0]), -32700, undefined],
    ["a second byte order mark", `\ufeff\ufeff${ping(1)}`, -32700, undefined],
    ["brackets that are never closed", "[".repeat(100_000), -32700, undefined],
    ["an empty list", "[]", -32600, undefined],
    ["a list in a list", "[[]]", -32600, undefined],
    ["a number", "5", -32600, undefined],
    ["null", "null", -32600, undefined],
    ["a text", '"ping"', -32600, undefined],
    ["an object with nothing in it", "{}", -32600, undefined],
    ["no jsonrpc", '{"id":"a","method":"ping"}', -32600, "a"],
    ["another jsonrpc", '{"jsonrpc":"1.0","id":"a","method":"ping"}', -32600, "a"],
    ["no method", '{"jsonrpc":"2.0","id":0}', -32600, 0],
    ["a method that is null", '{"jsonrpc":"2.0","id":0,"method":null}', -32600, 0],
    ["a method that is a list", '{"jsonrpc":"2.0","id":"","method":[]}', -32600, ""],
    ["neither id nor method", '{"jsonrpc":"2.0"}', -32600, undefined],
    ["a method that is a number, and no id", '{"jsonrpc":"2.0","method":5}', -32600, undefined],
    ["a result without an id", '{"jsonrpc":"2.0","result":{}}', -32600, undefined],
    [
      "params that are a list, and no id",
      '{"jsonrpc":"2.0","method":"notifications/cancelled","params":[]}',
      -32602,
      undefined,
    ],
    ["an id that is null", ping(null), -32600, undefined],
    ["an id that is an object", ping({}), -32600, undefined],
    ["an id that is a fraction", ping(1.5), -32600, 1.5],
    ["an id that is huge", '{"jsonrpc":"2.0","id":1e300,"method":"ping"}', -32600, 1e300],
    ["params that are a text", '{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}', -32602, 1],
    ["params that are a list", '{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602, 1],
    [
      "a _meta that is a number",
      '{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":1}}',
      -32602,
      1,
    ],
    [
      "a progress token that is a list",
      '{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":{"progressToken":[]}}}',
      -32602,
      1,
    ],
    ...Object.entries({
      "a client whose version is a number": { protocolVersion: 5 },
      "a client without a version": { protocolVersion: null },
      "a client whose name is a number": { clientInfo: { name: 5, version: "1" } },
      "a client that is no object": { clientInfo: "x" },
      "capabilities that are a text": { clientCapabilities: "x" },
      "a client without capabilities": { clientCapabilities: null },
      "extensions that are a number": { clientCapabilities: { extensions: 5 } },
      "an unknown log level": { logLevel: "x" },
    }).map(([what, about]): [string, string, number, unknown] => [
      what,
      JSON.stringify({ jsonrpc: "2.0", id: 1, method: "x", params: { _meta: metaOf(about) } }),
      -32602,
      1,
    ]),
    ["a member that no message has", '{"jsonrpc":"2.0","id":1,"method":"x","more":1}', -32600, 1],
    [
      "more values than may be",
      `{"jsonrpc":"2.0","id":3,"method":"x","params":{"a":[${"1,".repeat(MOST_VALUES)}1]}}`,
      -32600,
      3,
    ],
    ["a list of more values than may be", `[${"{},".repeat(MOST_VALUES)}{}]`, -32600, undefined],
  ])("is refused once, in a sentence, where it is %s", async (_, line, code, id) => {
    const { input, received, answers } = await started();
    input.write(line);
    input.write(`\n${JSON.stringify(PING)}\n`);
    await settled();
    const given = answers();
    expect(given).toEqual([
      {
        jsonrpc: "2.0",
        ...(id === undefined ? {} : { id }),
        error: { code, message: expect.any(String) },
      },
    ]);
    expect(JSON.stringify(given)).toMatch(/\."\}\}\]$/);
    expect(JSON.stringify(given)).not.toMatch(/invalid_|expected|"path"/);
    expect(received).toEqual([PING]);
  });

  it("is read without too deeply nested values, and answered as the rest", async () => {
    const { input, received } = await started();
    const deep = nested(200_000);
    input.write(`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":${deep},"b":[${deep},5]}}\n`);
    await settled();
    expect(received).toMatchObject([{ id: 1, method: "x", params: { b: [expect.any(Array), 5] } }]);
    expect(JSON.stringify(received).length).toBeLessThan(10 * DEEPEST_JSON);
  });

  it("is refused once where its list has too many messages", async () => {
    const { input, received, answers } = await started();
    const messages = Array.from({ length: MOST_MESSAGES_IN_LIST + 1 }, (_, id) => ping(id));
    input.write(`[${messages}]\n[${messages.slice(1)}]\n`);
    await settled();
    expect(answers()).toMatchObject([
      { error: { code: -32600, message: expect.stringContaining("101 messages") } },
    ]);
    expect(received).toHaveLength(MOST_MESSAGES_IN_LIST);
  });
});

describe("a flood of lines without an id", () => {
  it("is answered with a limited number of errors, and the next request is answered", async () => {
    const { input, output, received } = await started();
    let text = "";
    output.on("data", (chunk) => {
      text += String(chunk);
    });
    for (let n = 0; n < MOST_ANONYMOUS_REFUSALS + 500; n++) input.write("5\n");
    input.write(`{"id":"a"}\n${ping(1)}\n`);
    while (received.length === 0) await settled();
    const answers = text.trimEnd().split("\n");
    expect(answers).toHaveLength(MOST_ANONYMOUS_REFUSALS + 1);
    expect(JSON.parse(answers.at(-1) ?? "")).toMatchObject({ id: "a" });
  });
});

describe("the event loop", () => {
  it("runs other work between two messages", async () => {
    const { input, transport } = await started();
    const order: string[] = [];
    transport.onmessage = () => {
      order.push("message");
      if (order.length === 1) setImmediate(() => order.push("other work"));
    };
    input.write(`[${ping(1)},${ping(2)},${ping(3)}]\n`);
    await settled();
    expect(order.indexOf("other work")).toBeLessThan(3);
    expect(order).toHaveLength(4);
  });
});

describe("a host that does not read", () => {
  const LONG = { jsonrpc: "2.0" as const, id: 0, result: { text: "x".repeat(100_000) } };

  /** Answers each request with a long text. */
  async function answering() {
    const all = await started();
    let taken = 0;
    all.transport.onmessage = (message) => {
      taken += 1;
      if ("id" in message) all.transport.send({ ...LONG, id: message.id ?? 0 }).catch(() => {});
    };
    return { ...all, taken: () => taken };
  }

  it("causes backpressure: its input is no longer read", async () => {
    const { input, output, taken } = await answering();
    for (let id = 0; id < 200; id++) input.write(`${ping(id)}\n`);
    await settled();
    expect(output.writableLength).toBeLessThan(MOST_OUTPUT_WAITING + 200_000);
    const before = taken();
    expect(before).toBeLessThan(200);

    output.resume();
    while (taken() < 200) await settled();
    expect(taken()).toBe(200);
  });

  it("cannot fill the memory with waiting lines", async () => {
    const { input } = await answering();
    const line = `${ping("x".repeat(10_000))}\n`;
    let accepted = 0;
    while (accepted < 10 * MOST_INPUT_WAITING && input.write(line)) {
      accepted += line.length;
      await new Promise(setImmediate);
    }
    expect(accepted).toBeLessThan(4 * MOST_INPUT_WAITING);
    expect(input.isPaused()).toBe(true);
  });

  it("gets no progress, which would be outdated when it reads", async () => {
    const { input, output, transport } = await answering();
    for (let id = 0; id < 50; id++) input.write(`${ping(id)}\n`);
    await settled();
    const before = output.writableLength;
    await transport.send({
      jsonrpc: "2.0",
      method: "notifications/progress",
      params: { progressToken: 1, progress: 1 },
    });
    expect(output.writableLength).toBe(before);
  });

  it("ends the connection when its input ends", async () => {
    const { input, state } = await answering();
    for (let id = 0; id < 50; id++) input.write(`${ping(id)}\n`);
    await settled();
    input.end();
    await settled();
    expect(state.isClosed).toBe(true);
  });
});

describe("requests in flight", () => {
  it("have a maximum number; each answer admits the next request", async () => {
    const { input, received, transport } = await started();
    for (let id = 0; id < MOST_IN_FLIGHT + 2; id++) input.write(`${ping(id)}\n`);
    while (received.length < MOST_IN_FLIGHT) await settled();
    await settled();
    expect(received).toHaveLength(MOST_IN_FLIGHT);

    await transport.send({ jsonrpc: "2.0", id: 5, result: {} });
    await settled();
    expect(received).toHaveLength(MOST_IN_FLIGHT + 1);
  });

  it.each([
    ["a number of its own", (at: number) => at + 1],
    ["the number 0", () => 0],
    ["an empty text", () => ""],
  ])("do not include cancelled ones, which get no answer: %s", async (_what, idOf) => {
    const { input, received } = await started();
    const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled" };
    for (let at = 0; at < MOST_IN_FLIGHT; at++) {
      const id = idOf(at);
      input.write(`${ping(id)}\n${JSON.stringify({ ...cancelled, params: { requestId: id } })}\n`);
    }
    input.write(`${ping("last")}\n`);
    while (received.length < 2 * MOST_IN_FLIGHT + 1) await settled();
    expect(received.at(-1)).toMatchObject({ id: "last" });
  });
});

describe("requests", () => {
  it.each([
    ["a param", '{"cursor":null,"a":1}', { a: 1 }],
    ["_meta", '{"_meta":null,"a":1}', { a: 1 }],
    ["a progress token", '{"_meta":{"progressToken":null}}', { _meta: {} }],
    ["the arguments", '{"name":"x","arguments":null}', { name: "x" }],
    ["a null within arguments", '{"arguments":{"a":null}}', { arguments: { a: null } }],
    [
      "a null within capabilities",
      '{"capabilities":{"roots":null,"tasks":{"list":null}},"clientInfo":{"title":null}}',
      { capabilities: { tasks: {} }, clientInfo: {} },
    ],
    ["a null within a list", '{"a":[null]}', { a: [null] }],
    ["all params", "null", undefined],
  ])("are read without a null for an optional param: %s", async (_, params, taken) => {
    const { input, received } = await started();
    input.write(`{"jsonrpc":"2.0","id":1,"method":"x","params":${params}}\n`);
    await settled();
    expect(received).toEqual([{ jsonrpc: "2.0", id: 1, method: "x", params: taken }]);
  });
});

describe("a message with null for what it does not have", () => {
  it.each([
    [
      '{"id":1,"method":"x","params":{},"result":null,"error":null}',
      { id: 1, method: "x", params: {} },
    ],
    ['{"id":null,"method":"notifications/x","params":null}', { method: "notifications/x" }],
    [
      '{"id":1,"method":null,"result":{"_meta":null,"action":"accept"},"error":null}',
      { id: 1, result: { action: "accept" } },
    ],
    [
      '{"id":1,"result":null,"error":{"code":-1,"message":"no","data":null}}',
      { id: 1, error: { code: -1, message: "no" } },
    ],
    ['{"id":null,"error":{"code":-1,"message":"no"}}', { error: { code: -1, message: "no" } }],
  ])("is taken as without it: %s", async (line, taken) => {
    const { input, received, answers } = await started();
    input.write(`${line.replace("{", '{"jsonrpc":"2.0",')}\n`);
    await settled();
    expect(received).toEqual([{ jsonrpc: "2.0", ...taken }]);
    expect(answers()).toEqual([]);
  });
});

describe("a response that cannot be read", () => {
  it.each([
    ["a result that is null", '"result":null'],
    ["an error that is null", '"error":null'],
    ["a result that is a number", '"result":5'],
    ["an error without a code", '"error":{}'],
    ["an error that is a text", '"error":"no"'],
    ["a result and an error", '"result":{},"error":{"code":-1,"message":"no"}'],
    ["a member that no response has", '"result":{},"more":1'],
  ])("is an error for what waits for it: %s", async (_, members) => {
    const { input, received, answers } = await started();
    input.write(`{"jsonrpc":"2.0","id":1,${members}}\n`);
    await settled();
    const error = { code: -32600, message: "The response could not be read." };
    expect(received).toEqual([{ jsonrpc: "2.0", id: 1, error }]);
    expect(answers()).toEqual([]);
  });
});

describe("a sent message", () => {
  it.each<[string, string, string]>([
    ["a first half alone", "a\ud83db", "a\ufffdb"],
    ["a second half alone", "\ude00", "\ufffd"],
    ["halves in the wrong order", "\ude00\ud83d", "\ufffd\ufffd"],
    ["a whole pair", "🌍", "🌍"],
    ["the escape as a text", "\\ud83d", "\\ud83d"],
    ["the escape behind a backslash", "\\\\ud83d\ud83d", "\\\\ud83d\ufffd"],
  ])("has no half of a character: %s", async (_, given, expected) => {
    const { transport, answers } = await started();
    await transport.send({ jsonrpc: "2.0", id: 1, result: { text: given, [given]: 1 } });
    expect(answers()).toEqual([
      { jsonrpc: "2.0", id: 1, result: { text: expected, [expected]: 1 } },
    ]);
  });

  it.each(["\u2028", "\u2029", "a\u2028b\u2029c", "\r\n\u2028\u0085", "\\u2028"])(
    "has no unescaped line separator: %j",
    async (text) => {
      const { transport, output } = await started();
      await transport.send({ jsonrpc: "2.0", id: 1, result: { text, [text]: 1 } });
      await transport.send({
        jsonrpc: "2.0",
        method: "notifications/progress",
        params: { progressToken: 1, progress: 1, message: text },
      });
      await transport.send({ jsonrpc: "2.0", id: 2, error: { code: 1, message: text } });
      const lines = written(output);
      const messages = lines.trimEnd().split("\n");
      expect(messages.map((line) => JSON.parse(line))).toMatchObject([
        { result: { text, [text]: 1 } },
        { params: { message: text } },
        { error: { message: text } },
      ]);
      expect(lines).not.toMatch(/[\u2028\u2029]/);
    },
  );

  it("is an error under its id where the result has no JSON form", async () => {
    const { transport, answers } = await started();
    await transport.send({ jsonrpc: "2.0", id: 4, result: { big: 1n } });
    expect(answers()).toMatchObject([{ id: 4, error: { code: -32603 } }]);
  });
});
