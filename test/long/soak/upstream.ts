import { setTimeout as delay } from "node:timers/promises";
import { type DialectName, type Simulator, startSimulator } from "foundry-local-simulator";
import { FAULTS, STREAM_FAULTS } from "../../faults/faults.js";
import { FaultProxy } from "../../faults/proxy.js";
import type { Chance } from "../chance.js";

/** Answers at once. */
export const QUICK = "quick-generic-cpu:1";
/** Takes about a second for an answer. */
export const SLOW = "slow-generic-cpu:1";
/** Is loaded and unloaded all the time. */
export const COLD = "cold-generic-cpu:1";
export const EMBEDDER = "qwen3-embedding-0.6b-generic-cpu:1";

export const answerTo = (prompt: string): string =>
  `You said ${prompt}, and this is the answer: ${"one two three four five six seven. ".repeat(10)}`.trim();

const script = (seen: { readonly text: string }) => ({ text: answerTo(seen.text) });
const MODELS = [
  { id: QUICK, script, loaded: true },
  { id: SLOW, script, loaded: true, tokensPerSecond: 80 },
  { id: COLD, script, loadMs: 50 },
  { id: EMBEDDER, task: "embeddings", loaded: true },
];

/** The faults of single requests. Faults of the proxy itself are made by `disturb`. */
const REQUEST_FAULTS = [...FAULTS, ...STREAM_FAULTS].filter(({ proxy }) => proxy === undefined);
/** The share of requests that have a fault. */
const FAULT_SHARE = 0.06;

/** A simulated service behind a proxy that injects random faults. */
export class Upstream {
  restarts = 0;
  injected = 0;
  requests = 0;

  private constructor(
    readonly simulator: Simulator,
    readonly proxy: FaultProxy,
  ) {}

  static async start(dialect: DialectName): Promise<Upstream> {
    const simulator = await startSimulator({ dialect, models: MODELS });
    return new Upstream(simulator, await FaultProxy.start(simulator.url));
  }

  get url(): string {
    return this.proxy.url;
  }

  /** Until the signal: faults of single requests, idle connections closed, and restarts of the service. */
  async disturb(chance: Chance, signal: AbortSignal): Promise<void> {
    this.proxy.schedule(() => {
      if (chance.upTo(1) >= FAULT_SHARE) return null;
      this.injected += 1;
      return REQUEST_FAULTS[chance.oneOf(REQUEST_FAULTS.length)] ?? null;
    });
    while (!signal.aborted) {
      await delay(2000 + chance.upTo(8000), null, { signal }).catch(() => {});
      if (signal.aborted) break;
      // Connections in use are closed, too: answers break off.
      if (chance.oneOf(3) === 0) await this.proxy.closeIdle();
      else await this.#restart(chance);
    }
    this.proxy.schedule(() => null);
  }

  async close(): Promise<void> {
    this.requests = this.proxy.requests.length;
    await this.proxy.close();
    await this.simulator.close();
  }

  async #restart(chance: Chance): Promise<void> {
    this.restarts += 1;
    await this.simulator.stop();
    this.simulator.emptyMemory();
    await delay(chance.upTo(2000));
    await this.simulator.start();
  }
}
