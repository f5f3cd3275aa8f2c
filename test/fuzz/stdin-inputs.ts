import fc from "fast-check";

/** Stands for an id that is used once. */
export const OWN_ID = "@ID@";
/** Stands for the id of the request before. */
export const EARLIER_ID = "@EARLIER@";

const TOOLS = [
  "complete",
  "get_completion",
  "cancel_completion",
  "complete_batch",
  "list_models",
  "load_model",
  "unload_model",
  "health_check",
  "__proto__",
  "constructor",
];
const MEMBERS = [
  "prompt",
  "prompts",
  "requests",
  "messages",
  "model",
  "max_tokens",
  "temperature",
  "top_p",
  "stop",
  "seed",
  "reply_within",
  "join",
  "completion_id",
  "batch_id",
  "cancel",
  "from",
  "__proto__",
];

const oddText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom("", "\u0000", "\ud800", "\udc00x", "\ufeff", "\r\n", "\u2028", "\u001b[2J"),
  fc.constantFrom("tiny-generic-cpu:1", "user", "Hello"),
);
const oddNumber = fc.oneof(
  fc.constantFrom(0, -1, 1.5, 1e308, -0, 2 ** 53, -(2 ** 31)),
  fc.integer({ max: 100 }),
);
const leaf = fc.oneof(oddText, oddNumber, fc.boolean(), fc.constant(null));
const value = fc.oneof(
  { weight: 5, arbitrary: leaf },
  { weight: 2, arbitrary: fc.array(leaf, { maxLength: 6 }) },
  { weight: 1, arbitrary: fc.dictionary(fc.constantFrom("role", "content", "prompt"), leaf) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>([{ role: "user", content: "Hi" }], ["Hi", 7, {}]),
  },
);

const toolCall = fc
  .tuple(
    fc.constantFrom(...TOOLS),
    fc.dictionary(fc.constantFrom(...MEMBERS), value, { maxKeys: 4 }),
    fc.option(leaf),
  )
  .map(([name, given, progressToken]) => ({
    jsonrpc: "2.0",
    id: OWN_ID,
    method: "tools/call",
    params: {
      name,
      arguments: given,
      ...(progressToken === null ? {} : { _meta: { progressToken } }),
    },
  }));

const otherCall = fc
  .tuple(
    fc.constantFrom("ping", "tools/list", "resources/list", "resources/read", "prompts/list", "x"),
    value,
  )
  .map(([method, params]) => ({ jsonrpc: "2.0", id: OWN_ID, method, params }));

const oddMessage = fc
  .tuple(
    fc.oneof(toolCall, otherCall),
    fc.constantFrom("jsonrpc", "id", "method", "params"),
    value,
    fc.boolean(),
  )
  .map(([message, member, swapped, dropped]) =>
    Object.fromEntries(
      Object.entries(message).flatMap(([key, old]) =>
        key !== member ? [[key, old]] : dropped ? [] : [[key, swapped]],
      ),
    ),
  );

const notification = fc.oneof(
  fc.constant({
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { requestId: EARLIER_ID },
  }),
  fc
    .tuple(fc.constantFrom("cancelled", "progress", "initialized", "x"), value)
    .map(([name, params]) => ({ jsonrpc: "2.0", method: `notifications/${name}`, params })),
);
const reply = fc
  .tuple(leaf, fc.constantFrom("result", "error"), value)
  .map(([id, member, content]) => ({ jsonrpc: "2.0", id, [member]: content }));

const message = fc.oneof(
  { weight: 5, arbitrary: toolCall },
  { weight: 3, arbitrary: oddMessage },
  { weight: 2, arbitrary: otherCall },
  { weight: 1, arbitrary: notification },
  { weight: 1, arbitrary: reply },
);

const nested = fc
  .tuple(fc.constantFrom(10, 500, 5000, 40_000), fc.constantFrom("params", "result"))
  .map(
    ([depth, member]) =>
      `{"jsonrpc":"2.0","id":"deep","${member === "params" ? 'method":"ping","' : ""}${member}":{"a":${"[".repeat(depth)}${"]".repeat(depth)}}}`,
  );
const large = fc.constantFrom(1000, 30_000, 1_000_000).map((length) =>
  JSON.stringify({
    jsonrpc: "2.0",
    id: OWN_ID,
    method: "tools/call",
    params: { name: "list_models", arguments: { model: "x".repeat(length) } },
  }),
);

/** A line as a host may send it, without its end. */
const line = fc.oneof(
  { weight: 400, arbitrary: message.map((given) => JSON.stringify(given)) },
  { weight: 20, arbitrary: fc.array(message, { maxLength: 4 }).map((all) => JSON.stringify(all)) },
  { weight: 20, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  {
    weight: 10,
    arbitrary: message.map((given) => JSON.stringify(given).replace("{", '{"id":1,"method":2,')),
  },
  { weight: 10, arbitrary: message.map((given) => `\ufeff${JSON.stringify(given)}`) },
  { weight: 5, arbitrary: nested },
  { weight: 1, arbitrary: large },
);

/** A line, whether it has bytes that are no UTF-8, its end, and where it is split over two writes. */
export const input = fc.record({
  line,
  invalid: fc.integer({ max: 20, min: 0 }).map((chance) => chance === 0),
  end: fc.constantFrom("\n", "\n", "\r\n"),
  split: fc.integer({ min: 0, max: 999 }).map((part) => part / 1000),
});
export type Input = typeof input extends fc.Arbitrary<infer T> ? T : never;
