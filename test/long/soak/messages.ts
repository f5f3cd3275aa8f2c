import * as z from "zod";

const callResult = z.looseObject({
  content: z.array(z.looseObject({ type: z.string(), text: z.string().optional() })).default([]),
  structuredContent: z.looseObject({}).optional(),
  isError: z.boolean().default(false),
});

/** What a server sends: a result or an error has an `id`, a notification has none. */
export const messageSchema = z.looseObject({
  jsonrpc: z.literal("2.0"),
  id: z.number().optional(),
  method: z.string().optional(),
  result: z.unknown().optional(),
  error: z.looseObject({ code: z.number(), message: z.string() }).optional(),
});
export type Message = z.output<typeof messageSchema>;

/** The answer to a call of a tool. */
export interface ToolReply {
  /** `null`: no error. */
  readonly code: string | null;
  readonly text: string;
  readonly structured: Readonly<Record<string, unknown>> | null;
}

export function toolReplyOf({ result, error }: Message): ToolReply {
  if (error !== undefined) {
    return { code: `JSON-RPC ${error.code}`, text: error.message, structured: null };
  }
  const { content, structuredContent, isError } = callResult.parse(result);
  const text = content.map((block) => block.text ?? "").join("\n");
  const code = isError ? (/^[A-Z_]+(?=: )/.exec(text)?.[0] ?? "no code") : null;
  return { code, text, structured: structuredContent ?? null };
}

/** A call that was sent. */
export interface SentCall {
  /** `null`: the call was cancelled, and got no answer. Rejects if the link broke. */
  readonly reply: Promise<ToolReply | null>;
  /** Cancels the call, as a host does for its user. */
  cancel(): Promise<void>;
}

/** A connection of one caller to a server. */
export interface Link {
  readonly kind: "stdio" | "http";
  send(tool: string, given: object): SentCall;
  /** From time to time, where a caller can: begins a new session. */
  renew(): Promise<void>;
  close(): Promise<void>;
}
