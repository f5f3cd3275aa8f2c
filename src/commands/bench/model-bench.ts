import { randomInt } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import {
  type Health,
  isSimulatedText,
  type KnownModel,
  type ModelListResult,
  spelledName,
} from "../../foundry/index.js";
import { type FoundryError, formatWait, isLoopback, toFoundryError } from "../../lib/index.js";
import { processFigures } from "../../platform/index.js";
import { terminalWords } from "../../terminal-words.js";
import type { ClientCommand } from "../client-command.js";
import { chooseConcurrency } from "./choice.js";
import {
  type BenchReport,
  type CaseReport,
  type ModelReport,
  PROMPT_KINDS,
  type PromptKind,
} from "./report.js";
import { type Ask, caseOf, promptOf, type Round, roundOf, type Sample } from "./rounds.js";

export const AT_ONCE = [1, 2, 4] as const;
/** The answers of one round to one kind of prompt. */
export const ANSWERS_A_ROUND = AT_ONCE.reduce<number>((sum, atOnce) => sum + atOnce, 0);

interface BenchContext extends Pick<ClientCommand, "client" | "signal" | "notes"> {
  /** The time limit is of the rounds of one model; its load does not count. */
  readonly settings: BenchReport["settings"];
  readonly list: ModelListResult;
  readonly health: Health;
}

/** An unload may have to wait for a generation that was left. */
const UNLOAD_MS = 30_000;
/** Between two tries to unload a model that is in use. */
const BUSY_MS = 200;

interface Cell {
  readonly prompt: PromptKind;
  readonly atOnce: number;
  readonly rounds: Round[];
}

/** The measurement of one model: its load where it is not in memory, then rounds of answers. */
export class ModelBench {
  readonly #context: BenchContext;
  readonly #name: string;
  #id: string;
  #load: ModelReport["load"] = { ms: null, status: "failed", unloaded: false };
  readonly #memory: { -readonly [Figure in keyof ModelReport["memory_mb"]]: number | null } = {
    before_load: null,
    loaded: null,
    highest: null,
  };
  #cells: Cell[] = [];
  #notMeasured: string[] = [];
  #isSimulated = false;
  #failure: FoundryError | null = null;
  readonly #key = randomInt(1_000_000_000);
  #prompts = 0;

  constructor(name: string, context: BenchContext) {
    this.#id = name;
    this.#context = context;
    this.#name = this.#known === undefined ? name : spelledName(this.#known);
  }

  /** A model that was loaded here is unloaded afterwards, also after a failure. Rejects only if it is aborted. */
  async measure(): Promise<ModelReport> {
    try {
      await this.#loadModel();
      const kinds = await this.#warmUp();
      await this.#rounds(kinds);
      await this.#remember();
    } catch (thrown) {
      if (this.#context.signal.aborted) throw thrown;
      this.#failure = toFoundryError(thrown);
    } finally {
      await this.#unload();
    }
    return this.#report();
  }

  async #unload(): Promise<void> {
    if (this.#load.status !== "measured") return;
    const { notes } = this.#context;
    notes.progress({ message: `Unloading ${this.#id}` });
    try {
      await this.#unloadWhenFree(AbortSignal.timeout(UNLOAD_MS));
      this.#load = { ...this.#load, unloaded: true };
    } catch {
      notes.say(
        `${this.#id} stays in memory: it could not be unloaded. \`foundry-local-mcp unload ${this.#id}\` tries it again.`,
      );
    }
  }

  /**
   * A service that refuses to unload a model in use notices the end of an aborted generation a moment after
   * its request has ended. Other clients may use the model, too, so the unload is not forced.
   */
  async #unloadWhenFree(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        await this.#context.client.unloadModel(this.#id, { signal });
        return;
      } catch (thrown) {
        if (toFoundryError(thrown).code !== "MODEL_BUSY") throw thrown;
        await setTimeout(BUSY_MS, undefined, { signal });
      }
    }
  }

  #report(): ModelReport {
    const model = this.#known;
    const cases = this.#cells
      .filter(({ rounds }) => rounds.length > 0)
      .map(({ prompt, atOnce, rounds }) => caseOf(prompt, atOnce, rounds));
    const failure = this.#failure;
    return {
      model: this.#id,
      alias: model?.alias ?? null,
      device: model?.device ?? null,
      simulated: this.#isSimulated,
      load: this.#load,
      memory_mb: this.#memory,
      cases,
      not_measured: [...this.#notMeasured, ...missingOf(this.#cells, cases)],
      concurrency: chooseConcurrency(cases),
      error:
        failure === null
          ? null
          : {
              code: failure.code,
              message: terminalWords(failure.message),
              action: terminalWords(failure.action),
            },
    };
  }

  get #known(): KnownModel | undefined {
    return this.#context.list.models.find(({ id }) => id === this.#id);
  }

  async #loadModel(): Promise<void> {
    const { client, signal, notes } = this.#context;
    this.#memory.before_load = await this.#memoryOfService();
    try {
      const options = { signal, onStatus: notes.progress };
      const { model, status, elapsedMs } = await client.loadModel(this.#id, options);
      this.#id = model;
      if (status === "loaded") {
        this.#load = { ms: elapsedMs, status: "measured", unloaded: false };
      } else {
        this.#noLoad("already_loaded", "the model was in memory already, and stays there");
      }
    } catch (thrown) {
      if (signal.aborted) {
        notes.say(
          `No service can stop a load: where it has begun, it goes on. \`foundry-local-mcp unload ${this.#id}\` then takes the model out of memory.`,
        );
      }
      const error = toFoundryError(thrown);
      if (error.code !== "UNSUPPORTED_BY_SERVER") throw error;
      this.#noLoad("by_service", "this service loads models by itself");
    }
    this.#memory.loaded = await this.#readMemory();
  }

  #noLoad(status: "already_loaded" | "by_service", why: string): void {
    this.#load = { ms: null, status, unloaded: false };
    this.#memory.before_load = null;
    this.#notMeasured.push(`The load: ${why}.`);
  }

  /** One answer of each kind, which does not count. */
  async #warmUp(): Promise<PromptKind[]> {
    const { signal, notes, settings } = this.#context;
    const kinds: PromptKind[] = [];
    let warmUpMs = 0;
    for (const kind of PROMPT_KINDS) {
      const prompts = this.#promptsOf(kind, 1);
      if (prompts === null) {
        this.#notMeasured.push("Long prompts: the context of this model is too small.");
        continue;
      }
      const {
        samples: [sample],
        ms,
      } = await roundOf(prompts, this.#ask(signal));
      if (sample === undefined) continue;
      if (sample.failure !== null) throw sample.failure;
      this.#isSimulated ||= isSimulated(sample);
      this.#id = sample.completion.model ?? this.#id;
      kinds.push(kind);
      warmUpMs += ms;
    }
    notes.clear();
    // As if the service worked on one after the other.
    const about = durationWords(warmUpMs * ANSWERS_A_ROUND * settings.rounds);
    notes.faint(`${this.#name} takes about ${about} (estimated).`);
    return kinds;
  }

  /** Each number at once in each round, so that all have some where the time is over early. */
  async #rounds(kinds: readonly PromptKind[]): Promise<void> {
    const { settings, signal } = this.#context;
    const { rounds, minutes } = settings;
    this.#cells = kinds.flatMap((prompt) =>
      AT_ONCE.map((atOnce) => ({ prompt, atOnce, rounds: [] })),
    );
    // 4.1 * 60000 is no whole number, which a timer does not take.
    const timeLimit = AbortSignal.timeout(Math.round(minutes * 60_000));
    const ask = this.#ask(AbortSignal.any([signal, timeLimit]));
    const all = rounds * kinds.length * ANSWERS_A_ROUND;
    let done = 0;
    for (let round = 1; round <= rounds; round += 1) {
      for (const cell of this.#cells) {
        const { prompt, atOnce } = cell;
        const what = `${prompt} prompt, ${atOnce} at once, round ${round} of ${rounds}`;
        this.#progress((100 * done) / all, what);
        const prompts = this.#promptsOf(prompt, atOnce);
        try {
          if (prompts !== null) cell.rounds.push(await roundOf(prompts, ask));
        } catch (thrown) {
          if (signal.aborted || !timeLimit.aborted) throw thrown;
          this.#notMeasured.push(
            `The other rounds: ${minutes} min is their limit (\`--minutes\`).`,
          );
          return;
        }
        done += atOnce;
        await this.#readMemory();
      }
    }
    this.#progress(100, "done");
  }

  #progress(percent: number, what: string): void {
    const { notes } = this.#context;
    const measuring = `Measuring ${this.#name}`;
    // The log of a script needs no line for each round.
    notes.progress({ message: notes.isTerminal ? `${measuring}: ${what}` : measuring, percent });
  }

  /** For the estimates of the server. */
  async #remember(): Promise<void> {
    const { cases, device, model: id } = this.#report();
    const one = (prompt: PromptKind): CaseReport | undefined =>
      cases.find((each) => each.prompt === prompt && each.at_once === 1);
    const { input_tokens: tokens, first_token_ms: first } = one("long") ?? {};
    const hasFirst = tokens != null && first != null && first.median > 0;
    const { client, health } = this.#context;
    const isHere = health.endpoint !== null && isLoopback(health.endpoint);
    if (this.#isSimulated || !isHere) return;
    await client.service.speeds?.measured(
      { id, device },
      {
        tokensPerSecond: one("short")?.tokens_per_second?.median ?? null,
        promptTokensPerSecond: hasFirst ? (tokens * 1000) / first.median : null,
      },
    );
  }

  #ask(signal: AbortSignal): Ask {
    const { client, settings } = this.#context;
    return { client, model: this.#id, maxTokens: settings.answer_tokens, signal };
  }

  #promptsOf(kind: PromptKind, count: number): string[] | null {
    const { answer_tokens: answerTokens } = this.#context.settings;
    const prompts: string[] = [];
    while (prompts.length < count) {
      this.#prompts += 1;
      const context = this.#known?.contextLength ?? null;
      const prompt = promptOf(kind, this.#key + this.#prompts, answerTokens, context);
      if (prompt === null) return null;
      prompts.push(prompt);
    }
    return prompts;
  }

  async #readMemory(): Promise<number | null> {
    const memory = await this.#memoryOfService();
    if (memory !== null) this.#memory.highest = Math.max(this.#memory.highest ?? 0, memory);
    return memory;
  }

  /** In MB, of a process on this machine; `null`: unknown. */
  async #memoryOfService(): Promise<number | null> {
    const { pid, memory } = this.#context.health;
    if (pid === null || memory === null || memory.processMb === null) return null;
    return (await processFigures(pid))?.memoryMb ?? null;
  }
}

/** `50 s`, `3 min`. */
const durationWords = (ms: number): string =>
  ms < 90_000 ? formatWait(ms) : `${Math.round(ms / 60_000)} min`;

const isSimulated = ({ completion: { text, reasoning } }: Sample): boolean =>
  isSimulatedText(`${reasoning ?? ""}\n${text}`);

function missingOf(cells: readonly Cell[], cases: readonly CaseReport[]): string[] {
  const missing = cells.filter(({ rounds }) => rounds.length === 0).map(whichCell);
  const tooFast = cases
    .filter((each) => each.failed < each.answers && each.tokens_per_second === null)
    .map(whichCase);
  const failed = cases.filter(({ failed: count }) => count > 0);
  return [
    ...(missing.length > 0 ? [`There was no time for: ${missing.join("; ")}.`] : []),
    ...(tooFast.length > 0
      ? [
          `The speed of each answer, where the tokens came in one piece or too fast: ${tooFast.join("; ")}.`,
        ]
      : []),
    ...failed.map(
      (each) =>
        `${each.failed} of ${each.answers} answers failed or had to be requested again, and do not count: ${whichCase(each)}.`,
    ),
  ];
}

const whichCell = ({ prompt, atOnce }: Pick<Cell, "prompt" | "atOnce">): string =>
  `${prompt}, ${atOnce} at once`;
const whichCase = ({ prompt, at_once: atOnce }: CaseReport): string =>
  whichCell({ prompt, atOnce });
