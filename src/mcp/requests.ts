import type { CacheHint, ServerContext } from "@modelcontextprotocol/server";
import * as z from "zod";
import { isMembers, type Trace } from "../lib/index.js";

/** The request that a handler answers, as the SDK describes it. */
export type RequestContext = Pick<
  ServerContext["mcpReq"],
  "_meta" | "send" | "envelope" | "inputResponses" | "signal" | "notify"
>;
export type RequestHandler = (
  params: unknown,
  request: RequestContext,
) => Record<string, unknown> | Promise<Record<string, unknown>>;

/** The methods whose handlers are not loaded at the start. */
export const LAZY_METHODS = [
  "tools/call",
  "resources/list",
  "resources/templates/list",
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
  "completion/complete",
  "skills/list",
  "skills/get",
] as const;
/** Those of the Tasks extension, which hosts without a handshake may use. */
export const TASK_METHODS = ["tasks/get", "tasks/update", "tasks/cancel"] as const;
type LazyMethod = (typeof LAZY_METHODS)[number] | (typeof TASK_METHODS)[number];

export interface Handlers<M extends LazyMethod = LazyMethod> {
  readonly methods: Readonly<Record<M, RequestHandler>>;
  /** Ends the notifications. */
  close(): void;
}

/** The cache hint of an answer that is the same as long as the process runs, for clients of 2026-07-28. */
export const FIXED: CacheHint = { ttlMs: 300_000, cacheScope: "public" };

const CODES = {
  "invalid request": -32600,
  "invalid params": -32602,
  "missing capability": -32021,
} as const;

/**
 * The error that a request is answered with: the SDK sends the code, the message and the data of what a
 * handler throws. Not the SDK's own class: the first call loads the handlers apart from the start of the
 * server, and would load the SDK a second time with them.
 */
export class RequestError extends Error {
  readonly code: number;
  readonly data: Readonly<Record<string, unknown>> | undefined;

  constructor(
    message: string,
    kind: keyof typeof CODES = "invalid params",
    data?: Readonly<Record<string, unknown>>,
  ) {
    super(message);
    this.name = "RequestError";
    this.code = CODES[kind];
    this.data = data;
  }
}

const cursorParams = z.looseObject({ cursor: z.string().min(1) });

/** Refuses a cursor, which a list of one page has never given. */
export function assertFirstPage(params: unknown): void {
  if (!cursorParams.safeParse(params).success) return;
  throw new RequestError("Unknown cursor. This list has one page: omit cursor.");
}

/** The extension for results that are fetched later (SEP-2663). */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

/** The members of an object; of anything else none. */
const membersOf = (value: unknown): Readonly<Record<string, unknown>> =>
  isMembers(value) ? value : {};

const capabilitiesIn = (envelope: unknown) =>
  membersOf(membersOf(envelope)["io.modelcontextprotocol/clientCapabilities"]);

/** A client without a handshake says with each request who it is. */
export function clientNameIn(envelope: unknown): string | undefined {
  const { name } = membersOf(membersOf(envelope)["io.modelcontextprotocol/clientInfo"]);
  return typeof name === "string" ? name : undefined;
}

/** Whether a request may be answered with a task: each request declares it for itself. */
export const declaresTasks = (envelope: unknown): boolean =>
  isMembers(membersOf(capabilitiesIn(envelope)["extensions"])[TASKS_EXTENSION]);

/** Whether the host shows forms to its user. A bare declaration means forms, too. */
export function canAskUser(elicitation: unknown): boolean {
  if (typeof elicitation !== "object" || elicitation === null) return false;
  return "form" in elicitation || Object.keys(elicitation).length === 0;
}

/** What a request without a handshake declares. */
export const elicitationIn = (envelope: unknown): unknown =>
  capabilitiesIn(envelope)["elicitation"];

const traceSchema = z.looseObject({
  traceparent: z.string().optional().catch(undefined),
  tracestate: z.string().optional().catch(undefined),
});

/** The trace that a request belongs to (SEP-414). `baggage` is for what the host chose, not for a service. */
export function traceIn(meta: unknown): Trace {
  const { traceparent, tracestate } = traceSchema.safeParse(meta).data ?? {};
  return { traceparent, tracestate };
}
