import type { CallToolResult, InputRequests } from "@modelcontextprotocol/server";
import * as z from "zod";
import { counted, deferred, onAbort, quoted, TIMED_OUT, waitFor } from "../lib/index.js";
import { type ProgressUpdate, TEXT_DROPPED, tailOf } from "./progress-reporter.js";
import {
  declaresTasks,
  type RequestContext,
  RequestError,
  type RequestHandler,
  TASKS_EXTENSION,
} from "./requests.js";

type InputResponses = NonNullable<RequestContext["inputResponses"]>;

/** An ended task is kept for so long, as a completion is. */
const KEPT_MS = 30 * 60_000;
const POLL_INTERVAL_MS = 2000;
/** Of the text so far, the status shows the end. */
const LONGEST_TAIL = 200;

/** What the work asks the host for. */
interface Question {
  /** Those without an answer yet. */
  readonly open: Map<string, InputRequests[string]>;
  readonly answers: InputResponses;
  readonly answered: () => void;
}

interface Outcome {
  readonly status: "working" | "completed" | "failed" | "cancelled";
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** A call of a tool whose result may be fetched later. */
export class TaskCall {
  readonly #now: () => number;
  readonly #stopping = new AbortController();
  /** Aborted when the work is not wanted any more. */
  readonly signal: AbortSignal = this.#stopping.signal;
  readonly #createdAt: number;
  #updatedAt: number;
  #endedAt: number | null = null;
  /** With the result or the error, once it has ended. */
  #outcome: Outcome = { status: "working" };
  /** Whether its request was answered with the task: no progress is sent for it any more. */
  isAnswered = false;
  #question: Question | null = null;
  #words: string | null = null;
  #tail = "";
  #id: string | null = null;
  readonly #identified = deferred();
  /** Resolves when the id is known. */
  readonly identified = this.#identified.promise;

  /** @param now Milliseconds since 1970. */
  constructor(now: () => number) {
    this.#now = now;
    this.#createdAt = now();
    this.#updatedAt = this.#createdAt;
  }

  /** The id of the work, once the tool has begun it. */
  get id(): string | null {
    return this.#id;
  }

  get isWorking(): boolean {
    return this.#endedAt === null;
  }

  get isWanted(): boolean {
    return this.isWorking && !this.signal.aborted;
  }

  get endedAt(): number | null {
    return this.#endedAt;
  }

  identify(id: string): void {
    // A host knows the task by its first id.
    this.#id ??= id;
    this.#identified.resolve();
  }

  /**
   * The progress of the work, of which the status message shows the latest.
   *
   * @param tokens So far, where the message is new text of the model; `null`: it is a status in words.
   */
  note({ message }: Pick<ProgressUpdate, "message">, tokens: number | null): void {
    this.#updatedAt = this.#now();
    if (message === TEXT_DROPPED) this.#tail = "";
    if (tokens !== null) this.#tail = tailOf(`${this.#tail}${message}`, LONGEST_TAIL);
    this.#words = tokens === null ? message : `${counted(tokens, "token")} so far: ${this.#tail}`;
  }

  /**
   * Asks the host while the work waits: the task needs input until each request has an answer.
   *
   * @param requests Their keys are used once in the life of a task.
   * @returns the answers that came in time, by the same keys.
   * @throws FoundryError `CANCELLED` when the work is not wanted any more.
   */
  async ask(requests: InputRequests, withinMs: number): Promise<InputResponses> {
    const open = new Map(Object.entries(requests));
    const answers: InputResponses = {};
    const all = new Promise<void>((resolve) => {
      this.#question = { open, answers, answered: resolve };
    });
    this.#updatedAt = this.#now();
    try {
      await waitFor(all, { withinMs, signal: this.signal, ref: false });
      return answers;
    } finally {
      this.#question = null;
      this.#updatedAt = this.#now();
    }
  }

  /** Takes answers of the host. One that nothing waits for is ignored. */
  take(responses: InputResponses = {}): void {
    if (this.#question === null) return;
    const { open, answers, answered } = this.#question;
    for (const key of [...open.keys()]) {
      const response = responses[key];
      if (response === undefined) continue;
      answers[key] = response;
      open.delete(key);
    }
    if (open.size === 0) answered();
  }

  follow(work: Promise<CallToolResult>): void {
    const message = "foundry-local-mcp failed on this request.";
    work.then(
      (result) => this.#end({ status: "completed", result: { resultType: "complete", ...result } }),
      () => this.#end({ status: "failed", error: { code: -32603, message } }),
    );
  }

  /** The host ended the request before it was answered with a task. */
  abort(reason: unknown): void {
    this.#stopping.abort(reason);
  }

  cancel(): void {
    this.abort("The user stopped the task");
  }

  /** The task as `tasks/get` answers it. */
  describe(): Record<string, unknown> {
    const question = this.isWanted ? this.#question : null;
    const isOpen = question !== null && question.open.size > 0;
    const endedAt = this.#endedAt;
    return {
      taskId: this.#id,
      ...(this.#words === null ? {} : { statusMessage: this.#words }),
      createdAt: new Date(this.#createdAt).toISOString(),
      lastUpdatedAt: new Date(this.#updatedAt).toISOString(),
      ttlMs: endedAt === null ? null : endedAt - this.#createdAt + KEPT_MS,
      ...(endedAt === null ? { pollIntervalMs: POLL_INTERVAL_MS } : {}),
      ...this.#outcome,
      ...(isOpen
        ? { status: "input_required", inputRequests: Object.fromEntries(question.open) }
        : {}),
    };
  }

  #end(outcome: Outcome): void {
    this.#outcome = this.signal.aborted ? { status: "cancelled" } : outcome;
    this.#endedAt = this.#now();
    this.#updatedAt = this.#endedAt;
    this.#words = null;
    this.#tail = "";
  }
}

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
        "Missing required client capabilities: extensions",
        "missing capability",
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
