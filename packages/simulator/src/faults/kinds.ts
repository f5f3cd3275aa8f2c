import * as z from "zod";

const count = z.number().int().min(0);
const milliseconds = z.number().min(0);

/** The kinds of faults, one schema each. `after…` count what the client gets before. */
export const kinds = [
  /** RST before any byte of an answer. */
  z.strictObject({ kind: z.literal("reset") }),
  /** FIN before any byte of an answer. */
  z.strictObject({ kind: z.literal("close") }),
  /** RST after so many bytes of the body, or so many events of a stream. */
  z.strictObject({
    kind: z.literal("reset-after"),
    bytes: count.optional(),
    events: count.optional(),
  }),
  /** FIN after so many bytes or events: a chunked body without its last chunk. */
  z.strictObject({
    kind: z.literal("close-after"),
    bytes: count.optional(),
    events: count.optional(),
  }),
  /** A stream that ends in order but without `[DONE]`; without `finishReason` its last chunk is missing too. */
  z.strictObject({ kind: z.literal("no-done"), finishReason: z.boolean().default(true) }),
  /** A stream that ends in order after so many events. */
  z.strictObject({ kind: z.literal("end-after"), events: count }),
  /** An error inside a 200, after so many events, and the end of the stream without `[DONE]`. */
  z.strictObject({
    kind: z.literal("error-event"),
    afterEvents: count.default(0),
    message: z.string().default("simulated failure"),
    type: z.string().default("server_error"),
  }),
  /** An answer instead of the service's: any status, any body. */
  z.strictObject({
    kind: z.literal("status"),
    status: z.number().int().min(200).max(599),
    body: z.string().default(""),
    contentType: z.string().nullable().default("text/plain"),
    headers: z.record(z.string(), z.string()).default({}),
  }),
  /** No answer; with `ms`, the answer comes that much later. */
  z.strictObject({ kind: z.literal("hang"), ms: milliseconds.optional() }),
  /** Status and headers, then nothing. */
  z.strictObject({ kind: z.literal("hang-after-headers") }),
  /** Nothing more after so many events; with `ms`, it goes on after that. */
  z.strictObject({
    kind: z.literal("stall"),
    afterEvents: count.default(1),
    ms: milliseconds.optional(),
  }),
  /** 200 with a page of HTML. */
  z.strictObject({ kind: z.literal("html") }),
  /** The first half of the body, with the length of that half. */
  z.strictObject({ kind: z.literal("half-json") }),
  /** 200 without a body. */
  z.strictObject({ kind: z.literal("empty") }),
  /** Malformed events after so many real ones; the stream goes on afterwards. */
  z.strictObject({ kind: z.literal("garbage-sse"), afterEvents: count.default(1) }),
  /** The bytes of a stream cut at these lengths, in turn, whatever they hold. */
  z.strictObject({ kind: z.literal("split"), bytes: z.array(z.number().int().min(1)).min(1) }),
  /** So many events in one piece. */
  z.strictObject({ kind: z.literal("merge"), events: z.number().int().min(2) }),
  /** Lines end with CRLF. */
  z.strictObject({ kind: z.literal("crlf") }),
  /** A comment before each event. */
  z.strictObject({ kind: z.literal("comments"), text: z.string().default("simulated comment") }),
  /** A comment every so many milliseconds, and never an event. */
  z.strictObject({ kind: z.literal("only-comments"), everyMs: z.number().min(1).default(100) }),
  /** The body in pieces of so many bytes, with a pause between two. */
  z.strictObject({
    kind: z.literal("slow-body"),
    bytes: z.number().int().min(1).default(1),
    everyMs: milliseconds.default(10),
  }),
  /** Another Content-Type. */
  z.strictObject({ kind: z.literal("content-type"), value: z.string() }),
] as const;
