import { randomUUID } from "node:crypto";
import type { TrafficCounts } from "./metrics-types.js";

/** What ties the requests of one call to the log, and to the trace of the caller. */
export interface Trace {
  /**
   * The id of the call: sent as `X-Request-Id`, and `call` in the log; up to 64 letters, digits, dots,
   * underscores and hyphens. A completion has its own id in place of it. Default: a new one.
   */
  readonly id?: string | undefined;
  /** Of W3C Trace Context: sent unchanged, and its trace id is `trace_id` in the log. Ignored where malformed. */
  readonly traceparent?: string | undefined;
  /** Sent beside a `traceparent`, at most 512 characters. Ignored where malformed. */
  readonly tracestate?: string | undefined;
}

/** A trace with the counts of its call. */
export interface MeteredTrace extends Trace {
  /** Where the requests of the call are counted. */
  readonly traffic?: TrafficCounts | undefined;
}

const ID = /^[\w.-]{1,64}$/;
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})$/;
/** W3C Trace Context: what everything on the way has to take at least. */
const LONGEST_TRACESTATE = 512;
const TRACESTATE_ENTRY = /^[a-z\d][a-z\d_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}$/;

/** The same with an id. Node keeps random bytes for UUIDs ahead, so that one costs no call of the system. */
export const withCallId = (trace: Trace | undefined): Trace & { readonly id: string } => ({
  ...trace,
  id: trace?.id ?? randomUUID(),
});

/** The ids of a traceparent, and whether its caller records the trace; `null` where it is malformed. */
export function traceIdsOf(traceparent: string | undefined) {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined) return null;
  return { traceId, spanId, isSampled: (Number.parseInt(flags ?? "0", 16) & 1) === 1 };
}

function isTracestate(text: string): boolean {
  if (text.length > LONGEST_TRACESTATE) return false;
  const entries = text.split(",").map((entry) => entry.trim());
  return entries.every((entry) => entry === "" || TRACESTATE_ENTRY.test(entry));
}

export function traceHeaders({ id, traceparent, tracestate }: Trace): Record<string, string> {
  const headers: Record<string, string> = {};
  if (id !== undefined && ID.test(id)) headers["x-request-id"] = id;
  if (traceparent === undefined || traceIdsOf(traceparent) === null) return headers;
  headers["traceparent"] = traceparent;
  if (tracestate !== undefined && isTracestate(tracestate)) headers["tracestate"] = tracestate;
  return headers;
}

/** The members of a line in the log. */
export function traceFields(trace: Trace = {}): { call?: string; trace_id?: string } {
  const traceId = traceIdsOf(trace.traceparent)?.traceId;
  return {
    ...(trace.id !== undefined && { call: trace.id }),
    ...(traceId !== undefined && { trace_id: traceId }),
  };
}
