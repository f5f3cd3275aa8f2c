import fc from "fast-check";
import { z } from "zod";

export const API_KEY = "sk-fuzz-0123456789abcdef";
export const CALLS = ["list", "complete", "load", "unload", "health"] as const;

/** JSON texts that a service may put where another value belongs. */
const value = fc.oneof(
  fc.constantFrom(
    "-1",
    "1.5",
    "1e308",
    "1e999",
    '"7"',
    "null",
    "[]",
    "{}",
    '"constructor"',
    '"\\ud800"',
    '"\\u001b[2J\\u009b\\n\\u202e"',
    '{"__proto__":{"a":1}}',
    `"${API_KEY}"`,
    "[".repeat(3000) + "]".repeat(3000),
    `[${"{},".repeat(2000)}0]`,
    `"${"long ".repeat(20_000)}"`,
  ),
  fc.json({ maxDepth: 3 }),
);
const place = fc.integer({ min: 0, max: 999 }).map((part) => part / 1000);

/** Invalid lines of a head. */
const HEADERS = [
  "Content-Length: 5",
  "Content-Length: -1",
  "Content-Length: 99999999999999999999",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: gzip, chunked",
  "Content-Encoding: gzip",
  "Content-Encoding: x",
  "Content-Type: text/event-stream",
  "Content-Type: application/json; charset=utf-16",
  "Retry-After: -1",
  "Retry-After: 1e9",
  "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT",
  "Location: http://127.0.0.1:1/",
  "Location: \u0001",
  "Connection: upgrade",
  "Upgrade: h2c",
  "no colon",
  ": no name",
  "X-Bytes: \u0080\u00ff",
  "X-Null: \u0000",
  `X-Long: ${"x".repeat(100_000)}`,
  `Set-Cookie: ${API_KEY}`,
];

/** The change of valid replies: from which reply of the call on, and how. */
const reply = fc.record({
  call: fc.constantFrom(...CALLS),
  kind: fc.constantFrom(
    "swap",
    "swap",
    "swap",
    "cut",
    "reset",
    "reset_before_head",
    "head",
    "headers",
    "chunked",
    "bad_chunk",
    "status",
    "body",
    "frames",
  ),
  from: fc.constantFrom(0, 0, 0, 1, 2),
  status: fc.constantFrom(200, 200, 201, 204, 301, 307, 400, 401, 403, 404, 409, 429, 500, 503),
  type: fc.constantFrom("application/json", "text/event-stream", "text/html", "x\u007f/y", ""),
  head: fc.oneof(
    fc.constantFrom("HTTP/1.1 99 X", "HTTP/1.1 2000 X", "HTTP/0.9 200", "HTTP/2 200 OK", "", "x"),
    fc.constantFrom("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK", "HTTP/1.1 101 X"),
    fc.string({ unit: "binary-ascii", maxLength: 30 }),
  ),
  headers: fc.array(fc.constantFrom(...HEADERS), { maxLength: 2 }),
  splits: fc.array(place, { minLength: 1, maxLength: 5 }),
  at: place,
  value,
  body: fc.oneof(
    fc.string({ unit: "binary", maxLength: 60 }),
    value,
    fc.constantFrom(
      "",
      "<html>",
      "data: \n\n".repeat(500),
      "\n".repeat(10_000),
      'data: {"error":"x"}\n\ndata: [DONE]\n\n',
    ),
    value.map((given) => `{"error":{"message":${given}}}`),
    value.map((given) => `data: {"choices":[{"delta":{"content":${given}}}]}\n\n`),
    value.map((given) => `data: {"choices":[{"finish_reason":${given}}],"usage":${given}}\n\n`),
  ),
});
export type Reply = typeof reply extends fc.Arbitrary<infer T> ? T : never;

export const replyTo = (dialects: number) =>
  fc.record({ dialect: fc.nat({ max: dialects - 1 }), reply });

/** The messages of the service's process. */
export const newsSchema = z.union([
  z.object({ urls: z.array(z.string()) }),
  z.object({ dialect: z.int() }),
]);

/** Inputs that once failed. */
export const KEPT: readonly { readonly dialect: number; readonly reply: Reply }[] = [
  // The key as the name of the only model: an error listed it.
  {
    dialect: 3,
    reply: {
      call: "load",
      kind: "swap",
      from: 2,
      status: 200,
      type: "application/json",
      head: "HTTP/1.1 200 OK",
      headers: [],
      splits: [0],
      at: 0.2,
      value: `"${API_KEY}"`,
      body: "",
    },
  },
];
