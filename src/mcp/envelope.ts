import * as z from "zod";
import type { Trace } from "../lib/index.js";

/** The extension for results that are fetched later (SEP-2663). */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";

const clientSchema = z.looseObject({
  "io.modelcontextprotocol/clientInfo": z.looseObject({ name: z.string() }),
});
const capabilitiesSchema = z.looseObject({
  "io.modelcontextprotocol/clientCapabilities": z.looseObject({
    extensions: z.looseObject({ [TASKS_EXTENSION]: z.looseObject({}) }),
  }),
});

/** A client without a handshake says with each request who it is. */
export const clientNameIn = (envelope: unknown): string | undefined =>
  clientSchema.safeParse(envelope).data?.["io.modelcontextprotocol/clientInfo"].name;

/** Whether a request may be answered with a task: each request declares it for itself. */
export const declaresTasks = (envelope: unknown): boolean =>
  capabilitiesSchema.safeParse(envelope).success;

const traceSchema = z.looseObject({
  traceparent: z.string().optional().catch(undefined),
  tracestate: z.string().optional().catch(undefined),
});

/** The trace that a request belongs to (SEP-414). `baggage` is for what the host chose, not for a service. */
export function traceIn(meta: unknown): Trace {
  const { traceparent, tracestate } = traceSchema.safeParse(meta).data ?? {};
  return { traceparent, tracestate };
}
