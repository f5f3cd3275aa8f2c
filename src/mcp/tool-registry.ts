import type { CallToolResult } from "@modelcontextprotocol/server";
import * as z from "zod";
import { Vectors } from "../documents/index.js";
import { AllowedFolders } from "../files/index.js";
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
import { canAskUser, clientNameIn, declaresTasks, elicitationIn, type RequestContext, RequestError, type RequestHandler, traceIn } from "./requests.js";
import { HostCalls, HostLimits } from "./hosts.js";
import { type Clock, ProgressReporter, type ProgressUpdate } from "./progress-reporter.js";
import type { Backend } from "./backend.js";
import { type TaskCall, Tasks } from "./tasks.js";
import { failureFrame, failureText, type Tool, type ToolAnswer, type ToolContext } from "./tool.js";
import { userAnswer, UserQuestion } from "./user-questions.js";

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
  readonly vectors: Vectors;
}

const NO_FILES = new AllowedFolders();

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
  const { vectors = new Vectors() } = backend;
  const calls = new HostCalls(clock, backend.policy.onCancel, session !== null);
  const parts: CallParts = { ...backend, ...options, vectors, limits, tasks, calls };
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  return async (params, request) => {
    const { name, arguments: given = {} } = callParams.parse(params);
    const tool = byName.get(name);
    if (tool === undefined) {
      throw new RequestError(
        "invalid params",
        `There is no tool ${quoted(name)}. There are: ${[...byName.keys()].join(", ")}.`,
      );
    }
    try {
      return await callTool(tool, given, request, parts);
    } catch (thrown) {
      if (thrown instanceof UserQuestion) return thrown.result;
      throw thrown;
    }
  };
}

/** A call is answered with a task after so long, where its host takes one. */
const TASK_AFTER_MS = 3000;
/** The work of a task has no other limit; it is fetched when it is done. */
const TASK_REPLY_WITHIN_MS = 24 * 60 * 60_000;
/** Their work has an id, and outlives the call. */
const TASK_TOOLS = new Set(["complete", "complete_batch", "ask_documents", "load_model"]);

/**
 * Calls a tool, and once more with the answer to its question.
 *
 * @throws UserQuestion where the host asks it, and makes the call again.
 */
async function callTool(
  tool: Tool,
  given: unknown,
  request: RequestContext,
  parts: CallParts,
): Promise<Record<string, unknown>> {
  const { log, policy, calls, tasks, clock } = parts;
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
  if (!TASK_TOOLS.has(tool.variantOf ?? tool.name) || !declaresTasks(envelope)) {
    const progress = reporterFor(request, parts);
    const startedAt = clock.now();
    const ended = calls.begin({ ...call, progress });
    const answered = (asked: RequestContext): Promise<CallToolResult> =>
      answerOf(tool, given, parts, {
        signal,
        progress,
        replyWithinMs,
        // For the host, the time of the user's answer is part of the call.
        spentMs: clock.now() - startedAt,
        caller,
        trace,
        userAnswerTo: answersIn(asked),
      });
    return answered(request)
      .catch(async (thrown: unknown) => {
        if (!(thrown instanceof UserQuestion) || envelope !== undefined) throw thrown;
        progress.waiting("Waiting for the user's answer");
        return answered(await thrown.askedIn(request));
      })
      .finally(() => {
        progress.finish();
        ended();
      });
  }
  return tasks.answer(signal, Math.min(TASK_AFTER_MS, replyWithinMs), (task) => {
    const progress = reporterFor(request, parts, task);
    const answered = (asked: RequestContext): Promise<CallToolResult> =>
      answerOf(tool, given, parts, {
        signal: task.signal,
        progress,
        replyWithinMs: TASK_REPLY_WITHIN_MS,
        caller,
        trace,
        userAnswerTo: answersIn(asked),
        identify: (id) => task.identify(id),
      });
    return answered(request)
      .catch(async (thrown: unknown) => {
        if (!(thrown instanceof UserQuestion) || !task.isAnswered) throw thrown;
        progress.waiting("Waiting for the user's answer");
        return answered(await thrown.askedThrough(task, request));
      })
      .finally(() => progress.finish());
  });
}

type OwnContext = Pick<
  ToolContext,
  | "signal"
  | "progress"
  | "replyWithinMs"
  | "spentMs"
  | "caller"
  | "identify"
  | "trace"
  | "userAnswerTo"
>;

/** The result of a tool, in the form of the protocol. */
async function answerOf(
  tool: Tool,
  given: unknown,
  {
    client,
    log,
    secrets,
    session,
    calls,
    vectors,
    kept = NOTHING_KEPT,
    files = NO_FILES,
  }: CallParts,
  own: OwnContext,
): Promise<CallToolResult> {
  const { signal, trace } = own;
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
      files,
      vectors,
      session,
      cancellation: () => calls.cancellationOf(signal),
      afterGrace: (callback) => calls.afterGrace(callback),
    })
    .catch((thrown: unknown) => {
      if (thrown instanceof UserQuestion) throw thrown;
      return { failure: toFoundryError(thrown), text: "", result: {} };
    });

  const ms = Math.round(performance.now() - startedAt);
  logAnswer(log, { tool: tool.name, trace: { ...trace, id }, ms, answer });
  const result = resultOf(answer);
  // What a model wrote is handed on as it is.
  return QUOTING_TOOLS.has(tool.variantOf ?? tool.name) ? result : harmless(result, secrets);
}

/** Their results hold text of a model; the words of errors in them are harmless already. */
const QUOTING_TOOLS = new Set([
  "complete",
  "complete_batch",
  "get_completion",
  "cancel_completion",
  "ask_documents",
]);

/** Names, versions and states of a service, without secrets; its text also without control characters. */
function harmless(result: CallToolResult, secrets: SecretMask): CallToolResult {
  const { content, structuredContent, ...rest } = result;
  const cleaned = content.map((part) => {
    if (part.type !== "text") return part;
    return { ...part, text: serverWords(withoutControls(secrets.hide(part.text))) };
  });
  if (structuredContent === undefined) return { ...rest, content: cleaned };
  const structured = jsonObject.parse(secrets.hideIn(structuredContent));
  return { ...rest, content: cleaned, structuredContent: structured };
}

const jsonObject = z.record(z.string(), z.unknown());

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
  { clock, secrets }: Pick<CallParts, "clock" | "secrets">,
  task?: TaskCall,
): ProgressReporter {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined && task === undefined) return new ProgressReporter(null);
  const send = async (sent: ProgressUpdate, tokens: number | null): Promise<void> => {
    // What a model wrote is handed on as it is.
    const update =
      tokens === null ? { ...sent, message: secrets.hide(withoutControls(sent.message)) } : sent;
    task?.note(update, tokens);
    if (progressToken === undefined || task?.isAnswered === true) return;
    await notify({ method: "notifications/progress", params: { progressToken, ...update } });
  };
  return new ProgressReporter(send, clock);
}
