import {
  ClientCapabilitiesSchema,
  ImplementationSchema,
  JSONRPCMessageSchema,
  JSONRPCNotificationSchema,
  JSONRPCRequestSchema,
  LoggingLevelSchema,
  RequestIdSchema,
} from "@modelcontextprotocol/core";
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  type JSONRPCMessage,
  LOG_LEVEL_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  ProtocolErrorCode,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import {
  DEEPEST_JSON,
  hasMoreValues,
  isMembers,
  jsonFrom,
  LONGEST_QUOTE,
  MOST_MESSAGES_IN_LIST,
  MOST_VALUES,
  printable,
  withoutDepths,
} from "../../lib/index.js";

/** Why something is not taken. With the id of what it answers, where that has one. */
export interface Refusal {
  readonly code: ProtocolErrorCode;
  readonly message: string;
  readonly id?: string | number | undefined;
}

/** One message of a line, or why it is none. */
export type Reading = { readonly message: JSONRPCMessage } | { readonly refusal: Refusal };

/** The answer that says so. */
export const answerOf = ({ code, message, id }: Refusal) => ({
  jsonrpc: "2.0" as const,
  ...(id === undefined ? {} : { id }),
  error: { code, message },
});

/** What a line says, one message after the other, so that there can be other work between two of them. */
export function* readingsOf(line: string): Generator<Reading, void> {
  if (hasMoreValues(line, MOST_VALUES)) {
    const what = `The message has more than ${MOST_VALUES} values.`;
    yield refused(ProtocolErrorCode.InvalidRequest, what, outerIdOf(line));
    return;
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(withoutDepths(line, DEEPEST_JSON));
  } catch {
    yield refused(ProtocolErrorCode.ParseError, "Invalid JSON.");
    return;
  }
  // Protocol version 2025-03-26 lets a client send several messages as a list.
  const messages: readonly unknown[] = Array.isArray(parsed) ? parsed : [parsed];
  if (messages.length === 0) {
    yield refused(ProtocolErrorCode.InvalidRequest, "The batch of messages is empty.");
  } else if (messages.length > MOST_MESSAGES_IN_LIST) {
    yield refused(ProtocolErrorCode.InvalidRequest, tooManyMessages(messages.length));
  } else {
    for (const given of messages) yield readingOf(given);
  }
}

export const tooManyMessages = (count: number): string =>
  `The batch has ${count} messages; the limit is ${MOST_MESSAGES_IN_LIST}. None was processed.`;

/** A message has four. */
const MOST_MEMBERS = 10;

/** The id of a message of which only the outermost level is looked at. */
function outerIdOf(line: string): string | number | undefined {
  const outer = withoutDepths(line, 1, MOST_MEMBERS);
  if (hasMoreValues(outer, MOST_MEMBERS)) return undefined;
  return withIdSchema.safeParse(jsonFrom(outer)).data?.id;
}

const refused = (code: ProtocolErrorCode, message: string, id?: string | number): Reading => ({
  refusal: { code, message, id },
});

/** What each message has, in the order in which a mistake in it is named. */
const envelopeSchema = z.looseObject(
  {
    jsonrpc: z.literal("2.0", { error: 'jsonrpc must be "2.0"' }),
    id: z
      .unknown()
      .refine((id) => RequestIdSchema.safeParse(id).success, {
        error: "id must be a string or an integer",
      })
      .optional(),
    method: z.string({ error: "method must be a string" }).optional(),
  },
  { error: "A message must be a JSON object" },
);

/** As much of a message as is needed to answer it. In JSON-RPC an id may be any number, in MCP only an integer. */
const withIdSchema = z.looseObject({ id: z.union([z.string(), z.number()]) });

/** What a client without a handshake says of itself. The SDK checks the same, and quotes zod where it does not fit. */
const makeClientSchema = () =>
  z.looseObject({
    [PROTOCOL_VERSION_META_KEY]: z.string(),
    [CLIENT_CAPABILITIES_META_KEY]: ClientCapabilitiesSchema.omit({ tasks: true }),
    [CLIENT_INFO_META_KEY]: ImplementationSchema.optional(),
    [LOG_LEVEL_META_KEY]: LoggingLevelSchema.optional(),
  });

/** Made when it is first needed: most clients make a handshake, and each start would pay for it. */
let clientSchema: ReturnType<typeof makeClientSchema> | null = null;

/** Only a client without a handshake sends one of these. */
const KEYS = [PROTOCOL_VERSION_META_KEY, CLIENT_CAPABILITIES_META_KEY];

function mistakeAboutClient(message: JSONRPCMessage): string | null {
  const meta = "method" in message ? message.params?._meta : undefined;
  if (meta === undefined || !KEYS.some((key) => meta[key] !== undefined)) return null;
  clientSchema ??= makeClientSchema();
  const [issue] = clientSchema.safeParse(meta).error?.issues ?? [];
  return issue === undefined ? null : mistakeOf(issue);
}

/** Takes the place of a response that does not fit, since no other one comes for what waits for it. */
const UNREADABLE = {
  code: ProtocolErrorCode.InvalidRequest,
  message: "The response could not be read.",
} as const;

export function readingOf(sent: unknown): Reading {
  const given = withoutNulls(sent);
  const message = JSONRPCMessageSchema.safeParse(given);
  if (message.success) {
    const mistake = mistakeAboutClient(message.data);
    if (mistake === null) return { message: message.data };
    const id = "id" in message.data ? message.data.id : undefined;
    return refused(ProtocolErrorCode.InvalidParams, mistake, id);
  }
  const withId = withIdSchema.safeParse(given).data;
  // A response answers an id of ours: the host may have a request of its own with the same one.
  const isResponse =
    isMembers(sent) && !("method" in sent) && ("result" in sent || "error" in sent);
  const id = isResponse ? undefined : withId?.id;
  const own = isResponse ? RequestIdSchema.safeParse(withId?.id).data : undefined;
  if (own !== undefined) return { message: answerOf({ ...UNREADABLE, id: own }) };
  const envelope = envelopeSchema.safeParse(given);
  if (!envelope.success) return noMessage(envelope.error.issues[0]?.message, id);
  if (envelope.data.method === undefined) return noMessage("A request must have a method", id);
  const schema = "id" in envelope.data ? JSONRPCRequestSchema : JSONRPCNotificationSchema;
  const [issue] = schema.safeParse(given).error?.issues ?? [];
  if (issue?.path[0] === "params") {
    return refused(ProtocolErrorCode.InvalidParams, mistakeOf(issue), id);
  }
  return noMessage("A request may only have jsonrpc, id, method and params", id);
}

/**
 * Some hosts send `null` for each optional member. It is as absent, but not in the arguments of a tool. Only a
 * request must have an id.
 */
export function withoutNulls(sent: unknown): unknown {
  if (!isMembers(sent)) return sent;
  const { id, method } = sent;
  const isRequest = typeof method === "string" && !method.startsWith("notifications/");
  return { ...withoutNullMembers(sent), ...(isRequest && id === null ? { id } : {}) };
}

const withoutNullMembers = (members: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(members)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [
        name,
        isMembers(value) && name !== "arguments" ? withoutNullMembers(value) : value,
      ]),
  );

const noMessage = (why: string | undefined, id: string | number | undefined): Reading =>
  refused(ProtocolErrorCode.InvalidRequest, `Invalid JSON-RPC 2.0 message. ${why}.`, id);

const TYPES: ReadonlyMap<string, string> = new Map([
  ["string", "a string"],
  ["number", "a number"],
  ["int", "an integer"],
  ["boolean", "a boolean"],
  ["array", "an array"],
  ["object", "a JSON object"],
  ["record", "a JSON object"],
]);

/** What is wrong with the params of a request, in a sentence that names the one. */
export function mistakeOf(issue: z.core.$ZodIssue): string {
  const name = printable(issue.path.map(String).join("."), LONGEST_QUOTE);
  const type = issue.code === "invalid_type" ? TYPES.get(issue.expected) : undefined;
  if (type !== undefined) return `${name} must be ${type}.`;
  return `Invalid value for ${name}.`;
}
