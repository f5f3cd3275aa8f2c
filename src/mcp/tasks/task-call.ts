import type { CallToolResult, InputRequests } from "@modelcontextprotocol/server";
import { waitFor } from "../../lib/index.js";
import { type ProgressUpdate, TEXT_DROPPED } from "../progress-reporter.js";
import type { RequestContext } from "../request-handler.js";

type InputResponses = NonNullable<RequestContext["inputResponses"]>;

/** An ended task is kept for so long, as a completion is. */
export const KEPT_MS = 30 * 60_000;
const POLL_INTERVAL_MS = 2000;
/** Of the text so far, the status shows the end. */
const LONGEST_TAIL = 200;

type Outcome =
  | { readonly status: "working" }
  | { readonly status: "completed"; readonly result: CallToolResult }
  | {
      readonly status: "failed";
      readonly error: { readonly code: number; readonly message: string };
    }
  | { readonly status: "cancelled" };

/** What the work asks the host for. */
interface Question {
  /** Those without an answer yet. */
  readonly open: Map<string, InputRequests[string]>;
  readonly answers: InputResponses;
  readonly answered: () => void;
}

/** A call of a tool whose result may be fetched later. */
export class TaskCall {
  readonly #now: () => number;
  readonly #stopping = new AbortController();
  readonly #createdAt: number;
  #updatedAt: number;
  #endedAt: number | null = null;
  #outcome: Outcome = { status: "working" };
  #isCancelled = false;
  /** Whether its request was answered with the task: no progress is sent for it any more. */
  isAnswered = false;
  #question: Question | null = null;
  #words: string | null = null;
  #tail = "";
  #id: string | null = null;
  /** Resolves when the id is known. */
  readonly identified: Promise<void>;
  #onIdentified: () => void = () => {};

  /** @param now Milliseconds since 1970. */
  constructor(now: () => number) {
    this.#now = now;
    this.#createdAt = now();
    this.#updatedAt = this.#createdAt;
    this.identified = new Promise((resolve) => {
      this.#onIdentified = resolve;
    });
  }

  /** Aborted when the work is not wanted any more. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** The id of the work, once the tool has begun it. */
  get id(): string | null {
    return this.#id;
  }

  get isWorking(): boolean {
    return this.#outcome.status === "working";
  }

  get isWanted(): boolean {
    return this.isWorking && !this.#isCancelled;
  }

  get endedAt(): number | null {
    return this.#endedAt;
  }

  identify(id: string): void {
    // A host knows the task by its first id.
    this.#id ??= id;
    this.#onIdentified();
  }

  /**
   * The progress of the work, of which the status message shows the latest.
   *
   * @param tokens So far, where the message is new text of the model; `null`: it is a status in words.
   */
  note({ message }: Pick<ProgressUpdate, "message">, tokens: number | null): void {
    this.#updatedAt = this.#now();
    if (message === TEXT_DROPPED) this.#tail = "";
    if (tokens !== null) this.#tail = tailOf(`${this.#tail}${message}`);
    this.#words = tokens === null ? message : `${tokens} tokens so far: ${this.#tail}`;
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
    const end = (outcome: Outcome): void => {
      this.#outcome = this.#isCancelled ? { status: "cancelled" } : outcome;
      this.#endedAt = this.#now();
      this.#updatedAt = this.#endedAt;
      this.#words = null;
      this.#tail = "";
    };
    work.then(
      (result) => end({ status: "completed", result }),
      () => {
        const message = "foundry-local-mcp failed on this request.";
        end({ status: "failed", error: { code: -32603, message } });
      },
    );
  }

  /** The host ended the request before it was answered with a task. */
  abort(reason: unknown): void {
    this.#stopping.abort(reason);
  }

  cancel(): void {
    this.#isCancelled = true;
    this.#stopping.abort("The user stopped the task");
  }

  /** The task as `tasks/get` answers it. */
  describe(): Record<string, unknown> {
    const question = this.isWanted ? this.#question : null;
    const isOpen = question !== null && question.open.size > 0;
    const endedAt = this.#endedAt;
    return {
      taskId: this.#id,
      status: isOpen ? "input_required" : this.#outcome.status,
      ...(this.#words === null ? {} : { statusMessage: this.#words }),
      createdAt: new Date(this.#createdAt).toISOString(),
      lastUpdatedAt: new Date(this.#updatedAt).toISOString(),
      ttlMs: endedAt === null ? null : endedAt - this.#createdAt + KEPT_MS,
      ...(endedAt === null ? { pollIntervalMs: POLL_INTERVAL_MS } : {}),
      ...(isOpen ? { inputRequests: Object.fromEntries(question.open) } : {}),
      ...payloadOf(this.#outcome),
    };
  }
}

function payloadOf(outcome: Outcome): Record<string, unknown> {
  if (outcome.status === "failed") return { error: outcome.error };
  if (outcome.status !== "completed") return {};
  return { result: { resultType: "complete", ...outcome.result } };
}

function tailOf(text: string): string {
  if (text.length <= LONGEST_TAIL) return text;
  return `…${text.slice(1 - LONGEST_TAIL).replace(/^[\uDC00-\uDFFF]/, "")}`;
}
