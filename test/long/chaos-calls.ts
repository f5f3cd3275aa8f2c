import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Answer, Host } from "../e2e/host.js";
import { answerTo, LOADS, SAYS, type ServiceLife } from "./chaos-life.js";

/** Longer than any call takes under any fault. */
const LONGEST_CALL_MS = 60_000;
/** The delay from the start of a call to its arrival, and from its end to this test, on a loaded machine. */
const BLUR_MS = 1000;
/** A search that found nothing answers for a second. */
const REMEMBERED_MS = 1000 + BLUR_MS;

/** The codes that a call may fail with while the service is away. */
const ALLOWED = new Set([
  "NO_ENDPOINT",
  "SERVICE_UNREACHABLE",
  "SERVER_CRASHED",
  "STREAM_INTERRUPTED",
  "CIRCUIT_OPEN",
]);

/** The calls of a host, each compared with the state of the service while it ran. */
export class Calls {
  readonly #told = new Map<string, number>();
  #prompts = 0;

  constructor(
    readonly host: Host,
    readonly life: ServiceLife,
  ) {}

  readonly complete = async (): Promise<void> => {
    this.#prompts += 1;
    const prompt = `number ${this.#prompts}`;
    const said = await this.#call("complete", { prompt, model: SAYS, max_tokens: 200 });
    const whole = answerTo(prompt);
    // On a loaded machine the call may be answered before the completion ends.
    const isUnfinished = !said.isError && said.result["next_from"] !== undefined;
    if (said.isError) {
      expect(["failed", "interrupted"]).toContain(said.result["status"] ?? "failed");
    }
    if (said.isError || isUnfinished) {
      expect(whole.startsWith(String(said.result["text"] ?? ""))).toBe(true);
    } else {
      expect(said.text).toBe(whole);
      expect(said.result).toMatchObject({ status: "completed", text: whole, model: SAYS });
    }
  };

  readonly list = async (): Promise<void> => {
    await this.#listed();
  };

  readonly load = async (): Promise<void> => {
    const { isError, result } = await this.#call("load_model", { model: LOADS });
    if (!isError) expect(result["model"]).toBe(LOADS);
  };

  readonly health = async (): Promise<void> => {
    const begin = performance.now() - BLUR_MS;
    const { result } = await this.#call("health_check");
    const { endpoint, dialect, status } = result;
    if (status === "unavailable") return;
    const there = this.life.staysBetween(begin, performance.now());
    if (there.some((stay) => stay.url === endpoint && stay.dialect === dialect)) return;
    throw new Error(
      `health_check told of another service than there was: ${JSON.stringify({ result, there, now: performance.now(), begin, stays: this.life.stays.slice(-4) })}`,
    );
  };

  /** The service is back, and everything works: health reports its address, and a completion is complete. */
  async settled(): Promise<void> {
    const until = performance.now() + LONGEST_CALL_MS;
    for (;;) {
      const { result } = await this.#call("health_check");
      if (result["endpoint"] === this.life.url) {
        expect(result["dialect"]).toBe(this.life.now.dialect);
        break;
      }
      // It may still be searched for at its old address, but never be reported there.
      expect(result).toMatchObject({ status: "unavailable" });
      if (performance.now() > until) throw new Error(`not found: ${JSON.stringify(result)}`);
      await delay(50);
    }
    const { isError, text } = await this.#call("complete", { prompt: "now", model: SAYS });
    expect({ isError, text }).toEqual({ isError: false, text: answerTo("now") });
    await expect.poll(() => this.#listed(), { timeout: LONGEST_CALL_MS }).toEqual([SAYS, LOADS]);
  }

  /** Which of the models are listed as downloaded: none where the list fails. */
  async #listed(): Promise<string[]> {
    const { isError, result } = await this.#call("list_models");
    if (isError) return [];
    const listed = JSON.stringify(result["models"], ["id", "downloaded"]);
    return [SAYS, LOADS].filter((id) => {
      if (listed.includes(JSON.stringify({ id, downloaded: true }))) return true;
      // On a loaded machine the folders of the models may not be read within their time.
      if (listed.includes(JSON.stringify({ id }))) return false;
      throw new Error(`${id} is not rightly listed: ${listed} ${JSON.stringify(result)}`);
    });
  }

  /** All messages of failures, and how often each occurred. */
  told(): string {
    return [...this.#told].map(([words, times]) => `${times} × ${words}`).join("\n");
  }

  async #call(name: string, given: Record<string, unknown> = {}): Promise<Answer> {
    const begin = performance.now();
    const late = new AbortController();
    const answer = await Promise.race([
      this.host.call(name, given),
      delay(LONGEST_CALL_MS, null, { signal: late.signal, ref: false }),
    ]);
    late.abort();
    const took = performance.now() - begin;
    if (answer === null) throw new Error(`${name} did not end within ${LONGEST_CALL_MS} ms`);
    this.#tell(`${name}${answer.isError ? `: ${answer.text}` : " ok"}`, took);
    if (answer.isError) this.#judge(name, answer, begin);
    return answer;
  }

  /** Whether the failure is allowed, and its message is true. */
  #judge(name: string, { code, text }: Answer, begin: number): void {
    const now = performance.now();
    const what = `${name} failed with: ${text}`;
    if (code === null || !ALLOWED.has(code)) throw new Error(what);
    const since = code === "NO_ENDPOINT" ? REMEMBERED_MS : BLUR_MS;
    if (!this.life.wasAway(begin - since, now)) {
      throw new Error(`${what}, though the service was there all the time`);
    }
    if (/ {4}at |undefined|\[object/.test(text) || text.includes(this.life.machine.home)) {
      throw new Error(`not for a reader: ${what}`);
    }
  }

  #tell(words: string, took: number): void {
    const kind = words.replace(/127\.0\.0\.1:\d+/g, "HOST").replace(/^(.{400}).*/s, "$1");
    const slow = took > 1000 ? ` (over ${Math.floor(took / 1000)} s)` : "";
    this.#told.set(kind + slow, (this.#told.get(kind + slow) ?? 0) + 1);
  }
}
