import type { CallToolResult } from "@modelcontextprotocol/server";
import * as z from "zod";
import { onAbort, quoted, TIMED_OUT, waitFor } from "../../lib/index.js";
import { declaresTasks, TASKS_EXTENSION } from "../envelope.js";
import { RequestError } from "../request-error.js";
import type { RequestContext, RequestHandler } from "../request-handler.js";
import { KEPT_MS, TaskCall } from "./task-call.js";

/** Ended tasks that are kept, each with its result. */
const MOST_ENDED = 200;

/** Calls that were answered with a task, by the id of their work. */
export class Tasks {
  readonly #now: () => number;
  /** Calls of one id share their work. */
  readonly #calls = new Map<string, readonly TaskCall[]>();

  /** @param now Milliseconds since 1970. For tests. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /**
   * Answers a call with its result, or with a task if it is not done in time.
   *
   * @param signal Of the request. It ends the work until the task is the answer.
   */
  async answer(
    signal: AbortSignal,
    withinMs: number,
    work: (task: TaskCall) => Promise<CallToolResult>,
  ): Promise<Record<string, unknown>> {
    const task = new TaskCall(this.#now);
    const stopListening = onAbort(signal, () => task.abort(signal.reason));
    if (signal.aborted) task.abort(signal.reason);
    const result = work(task);
    task.follow(result);
    try {
      const inTime = await waitFor(result, { withinMs });
      if (inTime !== TIMED_OUT) return inTime;
      await Promise.race([result, task.identified]);
      if (!task.isWorking || task.id === null || signal.aborted) return await result;
    } finally {
      stopListening();
    }
    this.#keep(task.id, task);
    task.isAnswered = true;
    return { resultType: "task", ...task.describe() };
  }

  /** The methods of the extension. */
  get methods(): Readonly<Record<`tasks/${"get" | "update" | "cancel"}`, RequestHandler>> {
    return {
      "tasks/get": (params, request) => this.#meant(params, request).shown.describe(),
      "tasks/update": (params, request) => {
        this.#meant(params, request).shown.take(request.inputResponses);
        return {};
      },
      "tasks/cancel": (params, request) => {
        const { calls } = this.#meant(params, request);
        // Of calls that share their work one is cancelled, and the work ends with the last.
        calls.find(({ isWanted }) => isWanted)?.cancel();
        return {};
      },
    };
  }

  #meant(params: unknown, request: RequestContext) {
    if (!declaresTasks(request.envelope)) {
      throw new RequestError(
        "missing capability",
        "Missing required client capabilities: extensions",
        { requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } },
      );
    }
    this.#prune();
    const id = idParams.safeParse(params).data?.taskId;
    const calls = id === undefined ? undefined : this.#calls.get(id);
    const shown = calls?.find(({ isWanted }) => isWanted) ?? calls?.at(-1);
    if (calls !== undefined && shown !== undefined) return { calls, shown };
    const what = id === undefined ? "taskId is missing." : `There is no task ${quoted(id)}.`;
    throw new RequestError(
      "invalid params",
      `${what} Ended tasks are kept for 30 minutes, the latest ${MOST_ENDED}.`,
    );
  }

  #keep(id: string, task: TaskCall): void {
    this.#prune();
    const working = this.#calls.get(id)?.filter(({ isWanted }) => isWanted) ?? [];
    // The latest id last, so that the oldest is evicted first.
    this.#calls.delete(id);
    this.#calls.set(id, [...working, task]);
  }

  #prune(): void {
    const ended = [...this.#calls].flatMap(([id, calls]) => {
      if (calls.some(({ isWorking }) => isWorking)) return [];
      return [{ id, at: Math.max(...calls.map(({ endedAt }) => endedAt ?? 0)) }];
    });
    ended.sort((one, other) => one.at - other.at);
    ended.forEach(({ id, at }, index) => {
      const isTooMany = ended.length - index > MOST_ENDED;
      if (isTooMany || this.#now() - at > KEPT_MS) this.#calls.delete(id);
    });
  }
}

const idParams = z.looseObject({ taskId: z.string() });
