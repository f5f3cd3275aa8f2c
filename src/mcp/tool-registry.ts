import type { Server } from "@modelcontextprotocol/sdk/server/index.js";
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import {
  CallToolRequestSchema,
  type CallToolResult,
  CallToolResultSchema,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
  type ServerNotification,
  type ServerRequest,
  type Tool as ToolListing,
} from "@modelcontextprotocol/sdk/types.js";
import type { FoundryClient } from "../jobs/index.js";
import { quoted, type SecretMask, toFoundryError, withoutControls } from "../lib/index.js";
import type { Logger } from "../log.js";
import { annotationsOf } from "./annotations.js";
import type { CallPolicy } from "./call-policy.js";
import type { CallsInFlight } from "./calls-in-flight.js";
import { failureText } from "./failure-text.js";
import { jsonSchemaOf } from "./json-schema.js";
import { type Clock, ProgressReporter, type ProgressUpdate } from "./progress-reporter.js";
import type { Tool, ToolAnswer } from "./tool.js";

/** What all calls work with. */
interface CallParts {
  readonly client: FoundryClient;
  readonly log: Logger;
  readonly policy: CallPolicy;
  readonly calls: CallsInFlight;
  readonly clock: Clock;
  readonly secrets: SecretMask;
}

/**
 * Makes tools callable over MCP. The SDK's own `McpServer.registerTool` is not used: it drops unknown
 * arguments silently and answers wrong ones with the raw output of zod.
 */
export function registerTools(server: Server, tools: readonly Tool[], parts: CallParts): void {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const listings = tools.map(listingOf);
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: listings }));
  // Params that do not fit have been refused before, by the guarded transport.
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) => {
    const tool = byName.get(params.name);
    if (tool === undefined) {
      throw new McpError(
        ErrorCode.InvalidParams,
        `There is no tool ${quoted(params.name)}. There are: ${[...byName.keys()].join(", ")}.`,
      );
    }
    const call = callTool(tool, params.arguments ?? {}, extra, parts);
    parts.calls.add(call);
    return call;
  });
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

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

async function callTool(
  tool: Tool,
  given: unknown,
  extra: Extra,
  { client, log, policy, clock, secrets }: CallParts,
): Promise<CallToolResult> {
  const startedAt = performance.now();
  const progress = reporterFor(extra, clock);
  log.trace({ tool: tool.name, arguments: given }, "tool called");
  const answer = await tool
    .call(given, { client, signal: extra.signal, progress, policy })
    .catch((thrown: unknown) => ({ failure: toFoundryError(thrown), textSoFar: "" }))
    .finally(() => progress.finish());

  const fields = { tool: tool.name, ms: Math.round(performance.now() - startedAt) };
  if (!("failure" in answer)) {
    log.info(fields, "tool answered");
  } else if (answer.failure.code === "INTERNAL") {
    log.error({ ...fields, code: "INTERNAL", detail: answer.failure.detail }, "tool failed");
  } else {
    // The message may quote an argument, which is nobody's business at this level.
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
      part.type === "text" ? { ...part, text: withoutControls(part.text) } : part,
    ),
  };
}

type Failed = Pick<
  Extract<ToolAnswer<unknown>, { failure: unknown }>,
  "failure" | "textSoFar" | "notes"
>;

function resultOf(
  answer: ToolAnswer<Record<string, unknown>> | (Failed & { result?: Record<string, unknown> }),
): CallToolResult {
  const structured = answer.result === undefined ? {} : { structuredContent: answer.result };
  if ("failure" in answer) {
    const text = failureText(answer.failure, answer.textSoFar, answer.notes);
    return { isError: true, content: [{ type: "text", text }], ...structured };
  }
  const notes = (answer.notes ?? []).map((note) => `Note: ${note}`).join("\n");
  const texts = notes === "" ? [answer.text] : [answer.text, notes];
  return { content: texts.map((text) => ({ type: "text", text })), ...structured };
}

function reporterFor({ _meta, sendNotification }: Extra, clock: Clock): ProgressReporter {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined) return new ProgressReporter(null);
  const send = (update: ProgressUpdate): Promise<void> =>
    sendNotification({
      method: "notifications/progress",
      params: { progressToken, ...update },
    });
  return new ProgressReporter(send, clock);
}
