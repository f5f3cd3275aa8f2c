import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";
import type { Chance } from "../chance.js";
import type { CallLedger } from "./ledger.js";
import type { Link, ToolReply } from "./messages.js";
import { answerTo, COLD, EMBEDDER, QUICK, SLOW } from "./upstream.js";

/** Longer than any call may take. */
const LONGEST_CALL_MS = 120_000;
const ENDED = new Set(["completed", "interrupted", "cancelled", "failed"]);

const completionSchema = z.looseObject({
  status: z.string(),
  completion_id: z.string(),
  text: z.string().nullish(),
  next_from: z.number().nullish(),
});
const someSchema = z.looseObject({ completions: z.array(completionSchema).nullish() });
const batchSchema = z.looseObject({
  batch_id: z.string().nullish(),
  results: z.array(completionSchema.extend({ index: z.number() })),
  pending: z.array(z.string()).nullish(),
  next: z.string().nullish(),
});

/** One caller, which makes random calls, one after the other, and checks each answer. */
export class Caller {
  #link: Link;
  readonly #ledger: CallLedger;
  readonly #chance: Chance;
  readonly #name: string;
  #prompts = 0;

  constructor(name: string, link: Link, ledger: CallLedger, chance: Chance) {
    this.#name = name;
    this.#link = link;
    this.#ledger = ledger;
    this.#chance = chance;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#any();
      if (this.#chance.oneOf(50) === 0) await this.#link.renew();
      await delay(this.#chance.upTo(150));
    }
  }

  /** One call of each kind. */
  async all(): Promise<void> {
    for (const call of this.#calls) await call();
  }

  readonly #calls: readonly (() => Promise<void>)[] = [
    () => this.#complete(QUICK),
    () => this.#complete(QUICK),
    () => this.#complete(SLOW),
    () => this.#read(),
    () => this.#stop(),
    () => this.#hostCancels(),
    () => this.#batch(),
    () => this.#plain("list_models", {}),
    () => this.#plain("health_check", {}),
    () => this.#plain("get_completion", {}),
    () => this.#plain("load_model", { model: COLD }),
    () => this.#plain("unload_model", { model: COLD }),
    () => this.#plain("unload_model", { model: QUICK }),
    () => this.#plain("embed", { texts: ["a cat", "a dog"], query: "pets", model: EMBEDDER }),
  ];

  #any(): Promise<void> {
    return (
      (this.#calls[this.#chance.oneOf(this.#calls.length)] ?? this.#calls[0])?.() ??
      Promise.resolve()
    );
  }

  #prompt(): string {
    this.#prompts += 1;
    return `${this.#name} number ${this.#prompts}`;
  }

  async #complete(model: string): Promise<void> {
    const prompt = this.#prompt();
    const given = { prompt, model, reply_within: 20 };
    await this.#toItsEnd(prompt, await this.#answered("complete", given));
  }

  /** A completion that is read in parts. */
  async #read(): Promise<void> {
    const prompt = this.#prompt();
    const given = { prompt, model: SLOW, reply_within: 0 };
    await this.#toItsEnd(prompt, await this.#answered("complete", given));
  }

  async #stop(): Promise<void> {
    const prompt = this.#prompt();
    const given = { prompt, model: SLOW, reply_within: 0 };
    const reply = await this.#answered("complete", given);
    const begun = completionSchema.safeParse(reply?.structured).data;
    if (begun === undefined || ENDED.has(begun.status)) return this.#toItsEnd(prompt, reply);
    await delay(this.#chance.upTo(300));
    const { completion_id } = begun;
    const stopped = await this.#answered("cancel_completion", { completion_id });
    const { status, text } = completionSchema.parse(stopped?.structured);
    if (!ENDED.has(status))
      return this.#toItsEnd(prompt, { code: null, text: "", structured: begun });
    this.#isBeginning(prompt, text ?? "");
    this.#ledger.ended(status);
  }

  /** The host of the caller cancels the call. */
  async #hostCancels(): Promise<void> {
    const given = { prompt: this.#prompt(), model: SLOW, reply_within: 20 };
    this.#ledger.sent += 1;
    const { reply, cancel } = this.#link.send("complete", given);
    await delay(this.#chance.upTo(500));
    await cancel();
    const late = await this.#inTime("complete", reply);
    this.#ledger.cancelled += 1;
    this.#ledger.completions.unknown += 1;
    this.#ledger.note(
      "complete",
      late === null ? "cancelled by its host" : "answered beside its cancellation",
    );
  }

  async #batch(): Promise<void> {
    const prompts = Array.from({ length: 2 + this.#chance.oneOf(4) }, () => this.#prompt());
    const isStopped = this.#chance.oneOf(4) === 0;
    const seen = new Set<number>();
    let given: object = { prompts, model: QUICK, reply_within: isStopped ? 0 : 20 };
    // Each call returns at least what is ready, or waits.
    for (let call = 0; call < 100; call += 1) {
      const reply = await this.#answered("complete_batch", given);
      const parsed = batchSchema.safeParse(reply?.structured);
      if (!parsed.success) {
        this.#ledger.fault(`a batch answered: ${JSON.stringify(reply)?.slice(0, 500)}`);
        return;
      }
      for (const { index, status, text } of parsed.data.results) {
        if (seen.has(index)) this.#ledger.fault(`result ${index} of a batch came twice`);
        seen.add(index);
        this.#isAnswer(prompts[index] ?? "", status, text ?? "");
        this.#ledger.ended(status);
      }
      if (seen.size === prompts.length) return;
      const { batch_id } = parsed.data;
      given = { batch_id, reply_within: 20, ...(isStopped && call === 0 ? { cancel: true } : {}) };
    }
    this.#ledger.fault(`a batch of ${prompts.length} has returned ${seen.size} results only`);
  }

  async #plain(tool: string, given: object): Promise<void> {
    await this.#answered(tool, given);
  }

  /** Polls a completion until it has ended, and checks its whole text. */
  async #toItsEnd(prompt: string, first: ToolReply | null): Promise<void> {
    let reply = first;
    let text = "";
    for (let call = 0; call < 100; call += 1) {
      const some = someSchema.safeParse(reply?.structured).data?.completions?.[0];
      const state = some ?? completionSchema.safeParse(reply?.structured).data;
      if (state === undefined) {
        // Only an error has no state.
        if (reply?.code == null) this.#ledger.fault(`a completion without a state: ${reply?.text}`);
        this.#ledger.ended("failed");
        return;
      }
      text += state.text ?? "";
      if (ENDED.has(state.status)) {
        this.#isAnswer(prompt, state.status, text);
        this.#ledger.ended(state.status);
        return;
      }
      reply = await this.#answered("get_completion", {
        completion_ids: [state.completion_id],
        from: text.length,
        reply_within: this.#chance.oneOf(3),
      });
    }
    this.#ledger.fault(`a completion did not end: ${prompt}`);
  }

  #isAnswer(prompt: string, status: string, text: string): void {
    const whole = answerTo(prompt);
    if (status === "completed" && text !== whole) {
      this.#ledger.fault(`a completed answer is not whole: ${JSON.stringify(text).slice(0, 500)}`);
    }
    this.#isBeginning(prompt, text);
  }

  #isBeginning(prompt: string, text: string): void {
    if (answerTo(prompt).startsWith(text)) return;
    this.#ledger.fault(
      `a text that the model did not write: ${JSON.stringify(text).slice(0, 500)}`,
    );
  }

  async #answered(tool: string, given: object): Promise<ToolReply | null> {
    this.#ledger.sent += 1;
    const reply = await this.#inTime(tool, this.#link.send(tool, given).reply);
    if (reply === null) return null;
    this.#ledger.answered += 1;
    this.#ledger.note(tool, reply.code ?? "ok");
    if (reply.code !== null && /INTERNAL|INVALID_ARGUMENT|JSON-RPC|no code/.test(reply.code)) {
      this.#ledger.fault(`${tool} failed with ${reply.text.slice(0, 500)}`);
    }
    return reply;
  }

  async #inTime(tool: string, reply: Promise<ToolReply | null>): Promise<ToolReply | null> {
    const late = new AbortController();
    const timer = delay(LONGEST_CALL_MS, "late" as const, { signal: late.signal }).catch(
      () => "late" as const,
    );
    const first = await Promise.race([reply, timer]).finally(() => late.abort());
    if (first !== "late") return first;
    this.#ledger.fault(`${tool} had no answer within ${LONGEST_CALL_MS / 1000} s`);
    return null;
  }
}
