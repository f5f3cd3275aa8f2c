import {
  CallToolRequestSchema,
  CancelledNotificationSchema,
  InitializeRequestSchema,
  ListPromptsRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  PingRequestSchema,
} from "@modelcontextprotocol/core";
import {
  isJSONRPCNotification,
  isJSONRPCRequest,
  type JSONRPCMessage,
  type JSONRPCRequest,
  PROTOCOL_VERSION_META_KEY,
  ProtocolErrorCode,
  type Transport,
  type TransportSendOptions,
} from "@modelcontextprotocol/server";
import { hasMoreValues, jsonFrom, LONGEST_ERROR, MOST_VALUES, truncate } from "../../lib/index.js";
import { answerOf, mistakeOf } from "./json-rpc.js";

/** Requests whose params the SDK would refuse with the raw output of zod. All others are checked by us. */
const CHECKED = new Map(
  [
    InitializeRequestSchema,
    PingRequestSchema,
    ListToolsRequestSchema,
    CallToolRequestSchema,
    ListPromptsRequestSchema,
    ListResourceTemplatesRequestSchema,
  ].map((schema) => [String(schema.shape.method.value), schema] as const),
);

/**
 * Stands between any transport and the SDK. What one message does ends with that message: a throw of
 * the SDK is logged and answered; params that do not fit are refused in words; and no error that
 * leaves is longer than {@link LONGEST_ERROR}.
 */
export class GuardedTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: NonNullable<Transport["onmessage"]>;
  readonly #inner: Transport;
  /** Requests without an answer; `null`: a cancelled request gets no answer. */
  readonly #open: Set<string | number> | null;

  /**
   * @param answersCancelled Whether a cancelled request is answered with an error. Over HTTP each request has a
   *   stream of its own, which only its answer ends.
   */
  constructor(inner: Transport, answersCancelled = false) {
    this.#inner = inner;
    this.#open = answersCancelled ? new Set() : null;
  }

  async start(): Promise<void> {
    this.#inner.onclose = () => this.#contain(() => this.onclose?.());
    this.#inner.onerror = (error) => this.onerror?.(error);
    this.#inner.onmessage = (message, extra) => this.#take(message, extra);
    await this.#inner.start();
  }

  get sessionId(): string | undefined {
    return this.#inner.sessionId;
  }

  setSupportedProtocolVersions(versions: string[]): void {
    this.#inner.setSupportedProtocolVersions?.(versions);
  }

  send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    if (!("method" in message) && message.id !== undefined) this.#open?.delete(message.id);
    return this.#inner.send(bounded(message), options);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  readonly #take: NonNullable<Transport["onmessage"]> = (message, extra) => {
    const request = isJSONRPCRequest(message) ? tolerated(message) : null;
    const mistake = request === null ? null : mistakeIn(request);
    if (request !== null && mistake !== null) {
      this.#refuse(ProtocolErrorCode.InvalidParams, mistake, request.id);
      return;
    }
    if (request !== null) this.#open?.add(request.id);
    const isTaken = this.#contain(() => this.onmessage?.(request ?? message, extra));
    this.#answerCancelled(message);
    if (isTaken || request === null) return;
    const what = "foundry-local-mcp failed on this request. Other requests are not affected.";
    this.#refuse(ProtocolErrorCode.InternalError, what, request.id);
  };

  #answerCancelled(message: JSONRPCMessage): void {
    if (this.#open === null || !isJSONRPCNotification(message)) return;
    const id = CancelledNotificationSchema.safeParse(message).data?.params.requestId;
    if (id === undefined || !this.#open.has(id)) return;
    const code = ProtocolErrorCode.InternalError;
    const answer = answerOf({ code, message: "The request was cancelled.", id });
    this.send(answer).catch((error: Error) => this.onerror?.(error));
  }

  /** Returns whether it did not throw. */
  #contain(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (thrown) {
      this.onerror?.(thrown instanceof Error ? thrown : new Error(String(thrown)));
      return false;
    }
  }

  #refuse(code: ProtocolErrorCode, message: string, id: string | number): void {
    this.onerror?.(new Error(message));
    this.send(answerOf({ code, message, id })).catch((error: Error) => this.onerror?.(error));
  }
}

/**
 * The protocol wants a server without tasks to answer as if none had been asked for. Hosts send the
 * arguments of a tool that has none as `null`, `[]` or an empty string, and arguments as a JSON string.
 */
function tolerated(request: JSONRPCRequest): JSONRPCRequest {
  if (request.params === undefined) return request;
  const { task: _task, ...params } = request.params;
  if (request.method !== "tools/call") return { ...request, params };
  return { ...request, params: { ...params, arguments: argumentsOf(params["arguments"]) } };
}

function argumentsOf(sent: unknown): unknown {
  const given = typeof sent === "string" ? fromText(sent) : sent;
  return given === null || (Array.isArray(given) && given.length === 0) ? {} : given;
}

function fromText(text: string): unknown {
  if (text.trim() === "") return null;
  const value = hasMoreValues(text, MOST_VALUES) ? undefined : jsonFrom(text);
  return value === undefined ? text : value;
}

function mistakeIn({ method, params }: JSONRPCRequest): string | null {
  // A request that names its version is of the later era, in which the SDK knows no handshake.
  const isModern = params?._meta?.[PROTOCOL_VERSION_META_KEY] !== undefined;
  if (isModern && method === "initialize") return null;
  const given = params === undefined ? { method } : { method, params };
  const [issue] = CHECKED.get(method)?.safeParse(given).error?.issues ?? [];
  return issue === undefined ? null : mistakeOf(issue);
}

function bounded(message: JSONRPCMessage): JSONRPCMessage {
  if ("result" in message && message.result["resultType"] === "task") {
    // The SDK gives each result of `tools/call` a content, which a task does not have.
    const { content: _content, ...result } = message.result;
    return { ...message, result };
  }
  if (!("error" in message)) return message;
  const { data, ...error } = message.error;
  const isShort = data === undefined || JSON.stringify(data).length <= LONGEST_ERROR;
  const text = truncate(error.message, LONGEST_ERROR);
  return {
    ...message,
    error: { ...error, message: text, ...(isShort && data !== undefined ? { data } : {}) },
  };
}
