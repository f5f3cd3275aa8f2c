import { CallToolResultSchema } from "@modelcontextprotocol/core";
import {
  type CallToolResult,
  ProtocolError,
  ProtocolErrorCode,
  type Tool as ToolListing,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { NOTHING_KEPT } from "../keeper/index.js";
import { quoted, type SecretMask, toFoundryError, withoutControls } from "../lib/index.js";
import { resultInServerWords, serverWords } from "../server-words.js";
import { type Clock, ProgressReporter, type ProgressUpdate } from "./progress-reporter.js";
import type { Backend, RequestContext, RequestHandler } from "./request-handler.js";
import { type Effect, failureText, type Tool, type ToolAnswer } from "./tool.js";

interface Annotations {
  readonly readOnlyHint: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
  readonly openWorldHint: boolean;
}

/**
 * What hosts decide by whether to ask the user first. Nothing here leaves the machine's models, hence
 * never an open world; and nothing loses data: an unloaded model is loaded again by the next use.
 */
const ANNOTATIONS: Readonly<Record<Effect, Annotations>> = {
  reads: { readOnlyHint: true, openWorldHint: false },
  // May load a model, which takes memory; and each call is a new answer.
  generates: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: false,
    openWorldHint: false,
  },
  changes: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
};

const annotationsOf = (effect: Effect): Annotations => ANNOTATIONS[effect];

/** What all calls work with. */
interface CallParts extends Backend {
  readonly caller: string | undefined;
  readonly clock: Clock;
}

/** Params that do not fit have been refused before, by the guarded transport. */
const callParams = z.object({ name: z.string(), arguments: z.unknown().optional() });

/**
 * Makes tools callable over MCP. The SDK's own `McpServer.registerTool` is not used: it drops unknown
 * arguments without a warning and answers wrong ones with the raw output of zod.
 */
export function callHandler(tools: readonly Tool[], parts: CallParts): RequestHandler {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  return async (params, request) => {
    const { name, arguments: given = {} } = callParams.parse(params);
    const tool = byName.get(name);
    if (tool === undefined) {
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `There is no tool ${quoted(name)}. There are: ${[...byName.keys()].join(", ")}.`,
      );
    }
    return callTool(tool, given, request, parts);
  };
}

export function listingOf(tool: Tool): ToolListing {
  return {
    name: tool.name,
    title: tool.title,
    description: tool.description,
    inputSchema: jsonSchemaOf(tool.arguments),
    outputSchema: jsonSchemaOf(tool.result),
    annotations: annotationsOf(tool.effect),
  };
}

async function callTool(
  tool: Tool,
  given: unknown,
  request: RequestContext,
  { client, log, policy, clock, secrets, kept = NOTHING_KEPT, caller = nameOf(request) }: CallParts,
): Promise<CallToolResult> {
  const startedAt = performance.now();
  const progress = reporterFor(request, clock);
  log.trace({ tool: tool.name, arguments: given }, "tool called");
  const answer = await tool
    .call(given, { client, signal: request.signal, progress, kept, policy, caller })
    .catch((thrown: unknown) => ({ failure: toFoundryError(thrown), textSoFar: "" }))
    .finally(() => progress.finish());

  const fields = { tool: tool.name, ms: Math.round(performance.now() - startedAt) };
  if (!("failure" in answer)) {
    log.info(fields, "tool answered");
  } else if (answer.failure.code === "INTERNAL") {
    log.error({ ...fields, code: "INTERNAL", detail: answer.failure.detail }, "tool failed");
  } else {
    // The message may quote an argument, which is logged at trace only.
    log.info({ ...fields, code: answer.failure.code }, "tool failed");
  }
  const result = resultOf(answer);
  // What a model wrote is handed on as it is.
  return QUOTING_TOOLS.has(tool.name) ? result : harmless(result, secrets);
}

/** Their results hold text of a model; the words of errors in them are harmless already. */
const QUOTING_TOOLS = new Set([
  "complete",
  "complete_batch",
  "get_completion",
  "cancel_completion",
]);

/** Names, versions and states of a service, without secrets; its text also without control characters. */
function harmless(result: CallToolResult, secrets: SecretMask): CallToolResult {
  const { content, ...rest } = CallToolResultSchema.parse(secrets.hideIn(result));
  return {
    ...rest,
    content: content.map((part) =>
      part.type === "text" ? { ...part, text: serverWords(withoutControls(part.text)) } : part,
    ),
  };
}

const envelopeSchema = z.looseObject({
  "io.modelcontextprotocol/clientInfo": z.looseObject({ name: z.string() }),
});

/** A client without a session says with each request who it is. */
function nameOf({ envelope }: RequestContext): string | undefined {
  return envelopeSchema.safeParse(envelope).data?.["io.modelcontextprotocol/clientInfo"].name;
}

type Failed = Pick<
  Extract<ToolAnswer<unknown>, { failure: unknown }>,
  "failure" | "textSoFar" | "notes"
>;

function resultOf(
  answer: ToolAnswer<Record<string, unknown>> | (Failed & { result?: Record<string, unknown> }),
): CallToolResult {
  const structured =
    answer.result === undefined ? {} : { structuredContent: resultInServerWords(answer.result) };
  if ("failure" in answer) {
    const text = failureText(answer.failure, answer.textSoFar, answer.notes);
    return { isError: true, content: [{ type: "text", text }], ...structured };
  }
  const notes = (answer.notes ?? []).map((note) => `Note: ${serverWords(note)}`).join("\n");
  const texts = notes === "" ? [answer.text] : [answer.text, notes];
  return { content: texts.map((text) => ({ type: "text", text })), ...structured };
}

function reporterFor({ _meta, notify }: RequestContext, clock: Clock): ProgressReporter {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined) return new ProgressReporter(null);
  const send = (update: ProgressUpdate): Promise<void> =>
    notify({
      method: "notifications/progress",
      params: { progressToken, ...update },
    });
  return new ProgressReporter(send, clock);
}

/**
 * A zod object as JSON Schema, as short as it can be without saying less: hosts put it into the
 * context of their model, where each byte costs.
 */
export function jsonSchemaOf(schema: z.ZodObject): { [key: string]: unknown; type: "object" } {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io: "input",
    override: ({ jsonSchema }) => {
      // Hosts add arguments of their own, which are ignored.
      delete jsonSchema.additionalProperties;
      dropSafeIntegerLimits(jsonSchema);
      joinNullable(jsonSchema);
    },
  });
  return { ...rest, type: "object" };
}

type MutableSchema = z.core.JSONSchema.BaseSchema;

/** What every JSON number is limited to needs no saying. */
function dropSafeIntegerLimits(schema: MutableSchema): void {
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
}

/** `{"anyOf":[{"type":"string"},{"type":"null"}]}` is `{"type":["string","null"]}`. */
function joinNullable(schema: MutableSchema): void {
  const [value, none, ...more] = schema.anyOf ?? [];
  if (typeof value !== "object" || typeof none !== "object" || more.length > 0) return;
  if (none.type !== "null" || typeof value.type !== "string") return;
  delete schema.anyOf;
  const { type, enum: allowed, ...rest } = value;
  Object.assign(schema, rest, { type: [type, "null"] });
  if (allowed !== undefined) schema.enum = [...allowed, null];
}
