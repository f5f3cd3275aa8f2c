import type { CallToolResult } from "@modelcontextprotocol/server";
import * as z from "zod";
import { quoted, toFoundryError, traceFields, withCallId, withoutControls } from "../lib/index.js";
import type { Logger } from "../log.js";
import { resultInServerWords, serverWords } from "../server-words.js";
import type { Backend } from "./backend.js";
import { HostCalls, type HostLimits } from "./hosts.js";
import { type Clock, ProgressReporter, type ProgressUpdate } from "./progress-reporter.js";
import {
  canAskUser,
  clientNameIn,
  declaresTasks,
  elicitationIn,
  type RequestContext,
  RequestError,
  type RequestHandler,
  traceIn,
} from "./requests.js";
import type { TaskCall, Tasks } from "./tasks.js";
import { failureFrame, failureText, type Tool, type ToolAnswer, type ToolContext } from "./tool.js";
import { UserQuestion, userAnswer } from "./user-questions.js";

/** What all calls work with. */
export interface CallOptions {
  readonly clock: Clock;
  /** The connection of the calls, empty where it is the only one of the process; `null`: each call has its own. */
  readonly session: string | null;
  readonly limits: HostLimits;
  readonly tasks: Tasks;
  /** Of the host, where it made a handshake. */
  readonly clientName?: (() => string | undefined) | undefined;
  /** What the host declared of elicitation in its handshake. */
  readonly elicitation?: (() => unknown) | undefined;
}

interface CallParts extends CallOptions, Backend {
  readonly calls: HostCalls;
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
  options: CallOptions,
): RequestHandler {
  const { clock, session } = options;
  const connection = session === null ? "call" : session === "" ? "process" : "session";
  const calls = new HostCalls(clock, backend.policy.onCancel, connection);
  const parts: CallParts = { ...backend, ...options, calls };
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  return async (params, request) => {
    const { name, arguments: given = {} } = callParams.parse(params);
    const tool = byName.get(name);
    if (tool === undefined) {
      throw new RequestError(
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
  const { client, kept, files, vectors, session, log, policy, calls, tasks, clock } = parts;
  const { envelope } = request;
  const clientName = clientNameIn(envelope) ?? parts.clientName?.();
  const limit = parts.limits.of(clientName);
  const replyWithinMs = policy.replyWithinMs ?? limit.replyWithinMs;
  const caller = session ?? clientName;
  const canAsk = canAskUser(elicitationIn(envelope) ?? parts.elicitation?.());
  const trace = withCallId(traceIn(request._meta));
  log.trace({ ...traceFields(trace), tool: tool.name, arguments: given }, "tool called");
  const answered = async (task?: TaskCall): Promise<CallToolResult> => {
    const progress = reporterFor(request, parts, task);
    const startedAt = clock.now();
    const signal = task?.signal ?? request.signal;
    const call = { tool: tool.name, given, signal, progress, limit };
    const ended = task === undefined ? calls.begin(call) : () => {};
    const answerTo = (asked: RequestContext): Promise<CallToolResult> =>
      answerOf(tool, given, parts, {
        client,
        kept,
        files,
        vectors,
        session,
        signal,
        progress,
        replyWithinMs: task === undefined ? replyWithinMs : TASK_REPLY_WITHIN_MS,
        // For the host, files, a download and the user's answer are part of the call; a task has no limit.
        spentMs: () => (task === undefined ? clock.now() - startedAt : 0),
        caller,
        trace,
        userAnswerTo: canAsk ? (key) => userAnswer(asked, key) : undefined,
        identify: (id) => task?.identify(id),
        cancellation: () => calls.cancellationOf(signal),
        afterGrace: (callback) => calls.afterGrace(callback),
      });
    try {
      return await answerTo(request);
    } catch (thrown) {
      const isAskedHere = task === undefined ? envelope === undefined : task.isAnswered;
      if (!(thrown instanceof UserQuestion) || !isAskedHere) throw thrown;
      progress.waiting("Waiting for the user's answer");
      return await answerTo(
        await (task === undefined ? thrown.askedIn(request) : thrown.askedThrough(task, request)),
      );
    } finally {
      progress.finish();
      ended();
      await progress.pauseBeforeResult();
    }
  };
  if (tool.outlivesCall !== true || !declaresTasks(envelope)) return answered();
  return tasks.answer(request.signal, Math.min(TASK_AFTER_MS, replyWithinMs), answered);
}

/** The result of a tool, in the form of the protocol. */
async function answerOf(
  tool: Tool,
  given: unknown,
  { log, secrets }: CallParts,
  context: ToolContext,
): Promise<CallToolResult> {
  const startedAt = performance.now();
  let { id } = context.trace;
  const identify = (begun: string): void => {
    id = begun;
    context.identify(begun);
  };
  const answer = await tool.call(given, { ...context, identify }).catch((thrown: unknown) => {
    if (thrown instanceof UserQuestion) throw thrown;
    return { failure: toFoundryError(thrown), text: "", result: {} };
  });

  const ms = Math.round(performance.now() - startedAt);
  logAnswer(log, { ...traceFields({ ...context.trace, id }), tool: tool.name, ms }, answer);
  const { text, structured, ...rest } = bothForms(answer);
  // Of other tools these are names, versions and states of a service. Of those that quote a model, the words of
  // errors beside its text are harmless already.
  const isQuote = tool.quotesModel === true;
  const words = isQuote ? text : serverWords(withoutControls(secrets.hide(text)));
  const content = [{ type: "text" as const, text: words }];
  if (structured === undefined) return { ...rest, content };
  const structuredContent = isQuote ? structured : jsonObject.parse(secrets.hideIn(structured));
  return { ...rest, content, structuredContent };
}

const jsonObject = z.record(z.string(), z.unknown());

/**
 * The same for both kinds of hosts: one block of text, and a structured result that begins with `next` and
 * `notes`. A failure without a text so far has no structured result, so that every host shows its text.
 */
function bothForms({
  next = null,
  notes = [],
  text,
  result,
  failure = null,
}: ToolAnswer<Record<string, unknown>>): {
  readonly isError?: true;
  readonly text: string;
  readonly structured?: Record<string, unknown>;
} {
  if (failure !== null) {
    const all = next === null ? notes : [...notes, next];
    const failed = { isError: true, text: failureText(failure, text, all) } as const;
    if (text === "") return failed;
    return {
      ...failed,
      structured: resultInServerWords({ ...failureFrame(failure, all), ...result }),
    };
  }
  const lines = notes.map((note) => `Note: ${serverWords(note)}`).join("\n");
  return {
    text: [next ?? "", text, lines].filter((part) => part !== "").join("\n\n"),
    structured: { next, ...resultInServerWords({ notes, ...result }) },
  };
}

/** Of a result, what the log has: no text of a model. */
const LOGGED = ["batch_id", "model", "status", "usage", "attempts", "cached"];

/** Writes the one line that each call has at `info`. */
function logAnswer(
  log: Logger,
  call: object,
  { failure = null, result }: ToolAnswer<Record<string, unknown>>,
): void {
  const facts = LOGGED.map((name) => [name, result[name] ?? undefined]);
  const fields = { ...call, ...Object.fromEntries(facts) };
  if (failure === null) {
    log.info(fields, "tool answered");
  } else if (failure.code === "INTERNAL") {
    log.error({ ...fields, code: "INTERNAL", detail: failure.detail }, "tool failed");
  } else {
    // The message may quote an argument, which is logged at trace only.
    log.info({ ...fields, code: failure.code }, "tool failed");
  }
}

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
