import { CallToolResultSchema } from "@modelcontextprotocol/core";
import {
  type CallToolResult,
  ProtocolError,
  ProtocolErrorCode,
  type Tool as ToolListing,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import { NOTHING_KEPT } from "../keeper/index.js";
import {
  quoted,
  type SecretMask,
  toFoundryError,
  traceFields,
  withCallId,
  withoutControls,
} from "../lib/index.js";
import { resultInServerWords, serverWords } from "../server-words.js";
import { logAnswer } from "./call-log.js";
import { clientNameIn, declaresTasks, traceIn } from "./envelope.js";
import { HostCalls, HostLimits } from "./hosts/index.js";
import { type Clock, ProgressReporter, type ProgressUpdate } from "./progress-reporter.js";
import type { Backend, RequestContext, RequestHandler } from "./request-handler.js";
import { type TaskCall, Tasks } from "./tasks/index.js";
import {
  type Effect,
  failureFrame,
  failureText,
  type Tool,
  type ToolAnswer,
  type ToolContext,
} from "./tool.js";
import { canAskUser, elicitationIn, UserQuestion, userAnswer } from "./user-questions.js";

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
  generates: { readOnlyHint: false, destructiveHint: false, openWorldHint: false },
  changes: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
};

const annotationsOf = (effect: Effect): Annotations => ANNOTATIONS[effect];

/** What all calls work with. */
export interface CallOptions {
  readonly clock: Clock;
  /** The connection of the calls; `null`: each call has its own. */
  readonly session: string | null;
  readonly limits?: HostLimits | undefined;
  readonly tasks?: Tasks | undefined;
  /** Of the host, where it made a handshake. */
  readonly clientName?: (() => string | undefined) | undefined;
  /** What the host declared of elicitation in its handshake. */
  readonly elicitation?: (() => unknown) | undefined;
}

interface CallParts extends Omit<CallOptions, "limits" | "tasks">, Backend {
  readonly calls: HostCalls;
  readonly limits: HostLimits;
  readonly tasks: Tasks;
}

/** Params that do not fit have been refused before, by the guarded transport. */
const callParams = z.object({ name: z.string(), arguments: z.unknown().optional() });

/**
 * Makes tools callable over MCP. The SDK's own `McpServer.registerTool` is not used: it drops unknown
 * arguments without a warning and answers wrong ones with the raw output of zod.
 */
export function callHandler(
  tools: readonly Tool[],
  backend: Backend,
  { limits = new HostLimits(), tasks = new Tasks(), ...options }: CallOptions,
): RequestHandler {
  const { clock, session } = options;
  const calls = new HostCalls(clock, backend.policy.onCancel, session !== null);
  const parts: CallParts = { ...backend, ...options, limits, tasks, calls };
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
    try {
      return await callTool(tool, given, request, parts);
    } catch (thrown) {
      if (!(thrown instanceof UserQuestion)) throw thrown;
      if (request.envelope !== undefined) return thrown.result;
      return callTool(tool, given, await thrown.askedIn(request), parts);
    }
  };
}

export function listingOf(tool: Tool): ToolListing {
  return {
    name: tool.name,
    title: tool.title,
    description: tool.description,
    inputSchema: jsonSchemaOf(tool.arguments, forStrictMode),
    outputSchema: jsonSchemaOf(tool.result, withoutBounds),
    annotations: annotationsOf(tool.effect),
    ...(LONG_RESULTS.has(tool.name) && { _meta: LONG_RESULT }),
  };
}

const LONG_RESULTS = new Set(["complete", "complete_batch", "get_completion"]);
/** Claude Code cuts longer results than this off: here above every text that we return, as JSON. */
const LONG_RESULT = { "anthropic/maxResultSizeChars": 200_000 };

/** A call is answered with a task after so long, where its host takes one. */
const TASK_AFTER_MS = 3000;
/** The work of a task has no other limit; it is fetched when it is done. */
const TASK_REPLY_WITHIN_MS = 24 * 60 * 60_000;
/** Their work has an id, and outlives the call. */
const TASK_TOOLS = new Set(["complete", "complete_batch", "load_model"]);

async function callTool(
  tool: Tool,
  given: unknown,
  request: RequestContext,
  parts: CallParts,
): Promise<Record<string, unknown>> {
  const { log, policy, clock, calls, tasks } = parts;
  const { signal, envelope } = request;
  const clientName = clientNameIn(envelope) ?? parts.clientName?.();
  const limit = parts.limits.of(clientName);
  const replyWithinMs = policy.replyWithinMs ?? limit.replyWithinMs;
  const caller = parts.session ?? clientName;
  const call = { tool: tool.name, given, signal, limit };
  const canAsk = canAskUser(elicitationIn(envelope) ?? parts.elicitation?.());
  const answersIn = (asked: RequestContext): ToolContext["userAnswerTo"] =>
    canAsk ? (key) => userAnswer(asked, key) : undefined;
  const trace = withCallId(traceIn(request._meta));
  log.trace({ ...traceFields(trace), tool: tool.name, arguments: given }, "tool called");
  if (!TASK_TOOLS.has(tool.name) || !declaresTasks(envelope)) {
    const progress = reporterFor(request, clock);
    const ended = calls.begin({ ...call, progress });
    const own = {
      signal,
      progress,
      replyWithinMs,
      caller,
      trace,
      userAnswerTo: answersIn(request),
    };
    return answerOf(tool, given, parts, own).finally(ended);
  }
  return tasks.answer(signal, Math.min(TASK_AFTER_MS, replyWithinMs), (task) => {
    const answered = (asked: RequestContext): Promise<CallToolResult> =>
      answerOf(tool, given, parts, {
        signal: task.signal,
        progress: reporterFor(request, clock, task),
        replyWithinMs: TASK_REPLY_WITHIN_MS,
        caller,
        trace,
        userAnswerTo: answersIn(asked),
        identify: (id) => task.identify(id),
      });
    return answered(request).catch(async (thrown: unknown) => {
      if (!(thrown instanceof UserQuestion) || !task.isAnswered) throw thrown;
      return answered(await thrown.askedThrough(task, request));
    });
  });
}

type OwnContext = Pick<
  ToolContext,
  "signal" | "progress" | "replyWithinMs" | "caller" | "identify" | "trace" | "userAnswerTo"
>;

/** The result of a tool, in the form of the protocol. */
async function answerOf(
  tool: Tool,
  given: unknown,
  { client, log, secrets, session, calls, kept = NOTHING_KEPT }: CallParts,
  own: OwnContext,
): Promise<CallToolResult> {
  const { signal, progress, trace } = own;
  const startedAt = performance.now();
  let { id } = trace;
  const answer = await tool
    .call(given, {
      ...own,
      identify: (begun) => {
        id = begun;
        own.identify?.(begun);
      },
      client,
      kept,
      session,
      cancellation: () => calls.cancellationOf(signal),
      afterGrace: (callback) => calls.afterGrace(callback),
    })
    .catch((thrown: unknown) => {
      if (thrown instanceof UserQuestion) throw thrown;
      return { failure: toFoundryError(thrown), text: "", result: {} };
    })
    .finally(() => progress.finish());

  const ms = Math.round(performance.now() - startedAt);
  logAnswer(log, { tool: tool.name, trace: { ...trace, id }, ms, answer });
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

/**
 * The same for both kinds of hosts: one block of text, and a structured result that begins with `next` and
 * `notes`. A failure without a text so far has no structured result, so that every host shows its text.
 */
function resultOf({
  next = null,
  notes = [],
  text,
  result,
  failure = null,
}: ToolAnswer<Record<string, unknown>>): CallToolResult {
  if (failure !== null) {
    const all = next === null ? notes : [...notes, next];
    const content = [textBlock(failureText(failure, text, all))];
    if (text === "") return { isError: true, content };
    const structuredContent = { ...failureFrame(failure, all), ...result };
    return { isError: true, content, structuredContent: resultInServerWords(structuredContent) };
  }
  const lines = notes.map((note) => `Note: ${serverWords(note)}`).join("\n");
  const parts = [next ?? "", text, lines].filter((part) => part !== "");
  return {
    content: [textBlock(parts.join("\n\n"))],
    structuredContent: { next, ...resultInServerWords({ notes, ...result }) },
  };
}

const textBlock = (text: string) => ({ type: "text", text }) as const;

/** Reports to the host where it asked for progress, and to the task as long as it works. */
function reporterFor(
  { _meta, notify }: RequestContext,
  clock: Clock,
  task?: TaskCall,
): ProgressReporter {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined && task === undefined) return new ProgressReporter(null);
  const send = async (update: ProgressUpdate): Promise<void> => {
    task?.note(update);
    if (progressToken === undefined || task?.isAnswered === true) return;
    await notify({ method: "notifications/progress", params: { progressToken, ...update } });
  };
  return new ProgressReporter(send, clock);
}

/**
 * A zod object as JSON Schema, as short as it can be without saying less: hosts put it into the
 * context of their model, where each byte costs.
 */
export function jsonSchemaOf(
  schema: z.ZodObject,
  change: (schema: MutableSchema) => void = () => {},
): { [key: string]: unknown; type: "object" } {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io: "input",
    override: ({ jsonSchema, zodSchema }) => {
      // Hosts add arguments of their own, which are ignored.
      delete jsonSchema.additionalProperties;
      delete jsonSchema.propertyNames;
      // What every JSON number is limited to needs no saying.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (zodSchema instanceof z.ZodNullable) takeFirst(jsonSchema);
      if (zodSchema instanceof z.ZodObject) dropNullable(jsonSchema, zodSchema);
      change(jsonSchema);
    },
  });
  return { ...rest, type: "object" };
}

type MutableSchema = z.core.JSONSchema.BaseSchema;

/** A member of a result that is `null` is left out, so its schema has no `null`. */
function takeFirst(schema: MutableSchema): void {
  const [value] = schema.anyOf ?? [];
  delete schema.anyOf;
  Object.assign(schema, value);
}

function dropNullable(schema: MutableSchema, { shape }: z.ZodObject): void {
  const required = schema.required?.filter((name) => !(shape[name] instanceof z.ZodNullable)) ?? [];
  delete schema.required;
  if (required.length > 0) schema.required = required;
}

/** OpenAI's strict mode makes a closed object of one without members, and sends it empty. */
function forStrictMode(schema: MutableSchema): void {
  withoutBounds(schema);
  if (schema.type === "object") schema.properties ??= {};
}

/**
 * A host that checks the arguments itself would refuse what the server takes, such as an empty list of an
 * optional argument. The refusal of a value says what is allowed.
 */
function withoutBounds(schema: MutableSchema): void {
  delete schema.minimum;
  delete schema.maximum;
  delete schema.minLength;
  delete schema.minItems;
  delete schema.maxItems;
  delete schema.pattern;
}
