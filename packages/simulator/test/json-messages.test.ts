import { expect, it } from "vitest";
import { rawExchange } from "../../../test/real/raw_http.js";
import { startSimulator } from "../src/index.js";

const at = (column: number, rest: string, line = 1) =>
  `Invalid JSON: [json.exception.parse_error.101] parse error at line ${line}, column ${column}: syntax error while parsing ${rest}`;

/** Bodies and what C2 2.0.1 and 2.2.1 said of them. */
const SEEN: readonly [body: string, message: string][] = [
  ["{", at(2, "object key - unexpected end of input; expected string literal")],
  ['{"a":}', at(6, "value - unexpected '}'; expected '[', '{', or a literal")],
  ['{"a" 1}', at(6, "object separator - unexpected number literal; expected ':'")],
  ['{"a":1,}', at(8, "object key - unexpected '}'; expected string literal")],
  ['{"a":01}', at(7, "object - unexpected number literal; expected '}'")],
  ["[1,2", at(5, "array - unexpected end of input; expected ']'")],
  ["tru", at(4, "value - invalid literal; last read: 'tru'")],
  ['{"a":nan}', at(7, "value - invalid literal; last read: '\"a\":na'")],
  ["{'a':1}", at(2, "object key - invalid literal; last read: '{''; expected string literal")],
  ['{"a":1} x', at(9, "value - invalid literal; last read: '1} x'; expected end of input")],
  [
    '{"a":"\n"}',
    at(
      0,
      "value - invalid string: control character U+000A (LF) must be escaped to \\u000A or \\n; last read: '\"<U+000A>'",
      2,
    ),
  ],
  ["[]", "Invalid request: [json.exception.type_error.304] cannot use at() with array"],
  ["null", "Invalid request: [json.exception.type_error.304] cannot use at() with null"],
  ["{}", "Invalid request: [json.exception.out_of_range.403] key 'model' not found"],
  [
    '{"model":1}',
    "Invalid request: [json.exception.type_error.302] type must be string, but is number",
  ],
  [
    '{"model":"x","messages":{}}',
    "Invalid request: [json.exception.type_error.302] type must be array, but is object",
  ],
];

it.each(SEEN)("says of the body %j what the service says", async (body, message) => {
  await using simulator = await startSimulator();
  const answer = await rawExchange(simulator.url, {
    method: "POST",
    path: "/v1/chat/completions",
    headers: {},
    body,
  });
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.chunks.join(""))).toEqual({
    error: { code: null, message, param: null, type: "invalid_request_error" },
  });
});
