import fc from "fast-check";
import { listingOf } from "../../../src/mcp/tool-listing.js";
import { TOOLS } from "../../../src/mcp/tools/index.js";
import { fitting, leaf, oddText, oddValue } from "./values.js";

/** Becomes an id that is used once: a number, or a text that ends so. */
export const OWN_NUMBER = 4_242_424_242;
export const OWN_TEXT = "@own@";
/** Becomes the id of the request before. */
export const EARLIER = "@earlier@";

const id = fc.oneof(
  { weight: 6, arbitrary: fc.constant(OWN_NUMBER) },
  { weight: 4, arbitrary: oddText.map((text) => `${text}${OWN_TEXT}`) },
  // Used again and again, also while a request with the same one is open.
  { weight: 2, arbitrary: fc.constantFrom<unknown>(0, "", 1, "1", -1, "0", 2 ** 53 - 1) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(1.5, 1e308, 2 ** 53, null, true, [], {}) },
);

const metas = fc.oneof(
  { weight: 4, arbitrary: fc.constant({}) },
  { weight: 1, arbitrary: leaf.map((progressToken) => ({ _meta: { progressToken } })) },
  { weight: 1, arbitrary: oddValue.map((value) => ({ _meta: value })) },
);

const called = fc.oneof(
  ...TOOLS.map((tool) =>
    fc.record({
      name: fc.constant(tool.name),
      arguments: fitting(listingOf(tool).inputSchema),
    }),
  ),
  fc.record({ name: oddText, arguments: oddValue }),
);
const toolCall = fc.tuple(id, called, metas).map(([own, params, meta]) => ({
  jsonrpc: "2.0",
  id: own,
  method: "tools/call",
  params: { ...params, ...meta },
}));

const METHODS = [
  "initialize",
  "ping",
  "tools/list",
  "tools/call",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "prompts/list",
  "completion/complete",
  "logging/setLevel",
  "tasks/get",
  "tasks/list",
  "tasks/cancel",
  "sampling/createMessage",
  "notifications/cancelled",
  "constructor",
];
const uri = fc.oneof(
  oddText,
  fc.constantFrom("foundry://completions", "foundry://completions/x", "file:///etc", "%"),
);
const otherCall = fc
  .tuple(
    id,
    fc.constantFrom(...METHODS),
    fc.oneof(oddValue, fc.constant({}), fc.record({ uri }), fc.record({ cursor: leaf })),
  )
  .map(([own, method, params]) => ({ jsonrpc: "2.0", id: own, method, params }));

const oddMessage = fc
  .tuple(
    fc.oneof(toolCall, otherCall),
    fc.constantFrom("jsonrpc", "id", "method", "params", "result", "error"),
    oddValue,
    fc.boolean(),
  )
  .map(([message, member, value, isDropped]) => {
    const { [member]: _old, ...rest } = Object.fromEntries(Object.entries(message));
    return isDropped ? rest : { ...rest, [member]: value };
  });

const notification = fc.oneof(
  fc
    .oneof(fc.constant(EARLIER), leaf)
    .map((requestId) => ({ method: "notifications/cancelled", params: { requestId } })),
  fc
    .tuple(fc.constantFrom("cancelled", "progress", "initialized", "roots/list_changed"), oddValue)
    .map(([name, params]) => ({ method: `notifications/${name}`, params })),
);
const reply = fc
  .tuple(fc.oneof(id, leaf), fc.constantFrom("result", "error"), oddValue)
  .map(([own, member, content]) => ({ jsonrpc: "2.0", id: own, [member]: content }));

const message = fc.oneof(
  { weight: 10, arbitrary: toolCall },
  { weight: 6, arbitrary: oddMessage },
  { weight: 6, arbitrary: otherCall },
  { weight: 2, arbitrary: notification.map((given) => ({ jsonrpc: "2.0", ...given })) },
  { weight: 1, arbitrary: reply },
);
const json = message.map((given) => JSON.stringify(given));

const nested = fc
  .tuple(
    fc.constantFrom(10, 99, 101, 5000, 40_000),
    fc.constantFrom('"method":"ping","params"', '"method":"x","params"', '"result"', '"error"'),
    fc.constantFrom("[", '{"a":'),
  )
  .map(([depth, members, open]) => {
    const close = open === "[" ? "]" : "}";
    const deep = `${open.repeat(depth)}1${close.repeat(depth)}`;
    return `{"jsonrpc":"2.0","id":${OWN_NUMBER},${members}:{"a":${deep}}}`;
  });
const long = fc
  .tuple(
    fc.constantFrom(1000, 30_000, 1_000_000),
    fc.constantFrom("x", "\u0000", "\ud800", "é", "1,", "[],"),
    fc.constantFrom("search", "model", "x"),
  )
  .map(([length, piece, member]) => {
    const many = piece.repeat(Math.min(length, 3_000_000 / JSON.stringify(piece).length));
    const value = piece.endsWith(",") ? `[${many}0]` : JSON.stringify(many);
    const params = `{"name":"list_models","arguments":{"${member}":${value}}}`;
    return `{"jsonrpc":"2.0","id":${OWN_NUMBER},"method":"tools/call","params":${params}}`;
  });

/** A line as a host may send it, without its end. */
const line = fc.oneof(
  { weight: 400, arbitrary: json },
  { weight: 20, arbitrary: fc.array(json, { maxLength: 4 }).map((all) => `[${all.join()}]`) },
  { weight: 1, arbitrary: json.map((one) => `[${Array(101).fill(one).join()}]`) },
  { weight: 20, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  { weight: 10, arbitrary: fc.json() },
  { weight: 10, arbitrary: json.map((text) => text.replace("{", '{"id":1,"method":2,')) },
  { weight: 10, arbitrary: json.map((text) => `\ufeff${text}`) },
  {
    weight: 10,
    arbitrary: fc
      .tuple(json, fc.double({ min: 0, max: 1, noNaN: true }))
      .map(([text, part]) => text.slice(0, Math.floor(part * text.length))),
  },
  { weight: 5, arbitrary: nested },
  { weight: 1, arbitrary: long },
);

const place = fc.integer({ min: 0, max: 999 }).map((part) => part / 1000);

const splits: fc.Arbitrary<readonly number[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.array(place, { maxLength: 4 }) },
);

/** A line, the bytes put into it that are no UTF-8, its end, and where it is split over writes. */
export const input = fc.record({
  line,
  invalid: fc.oneof(
    { weight: 19, arbitrary: fc.constant(null) },
    {
      weight: 1,
      arbitrary: fc.record({ at: place, bytes: fc.uint8Array({ min: 128, maxLength: 4 }) }),
    },
  ),
  end: fc.constantFrom("\n", "\n", "\r\n"),
  splits,
});
export type Input = typeof input extends fc.Arbitrary<infer T> ? T : never;
