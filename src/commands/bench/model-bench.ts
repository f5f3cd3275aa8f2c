import { randomInt } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import {
  isSimulatedText,
  type KnownModel,
  type ModelListResult,
  type StatusUpdate,
} from "../../foundry/index.js";
import type { FoundryClient } from "../../jobs/index.js";
import { type FoundryError, toFoundryError } from "../../lib/index.js";
import { terminalWords } from "../../terminal-words.js";
import { chooseConcurrency } from "./choice.js";
import { promptOf } from "./prompts.js";
import { type CaseReport, type ModelReport, PROMPT_KINDS, type PromptKind } from "./report.js";
import { type Ask, caseOf, type Round, roundOf, type Sample } from "./rounds.js";

/** How many answers are requested at once. */
export const AT_ONCE = [1, 2, 4] as const;

export interface BenchContext {
  readonly rounds: number;
  readonly answerTokens: number;
  /** Of the rounds of one model, in milliseconds; its load does not count. */
  readonly withinMs: number;
  readonly client: FoundryClient;
  readonly list: ModelListResult;
  readonly signal: AbortSignal;
  readonly isOnThisMachine: boolean;
  /** The memory of the service in MB; `null`: unknown. */
  readonly memory: () => Promise<number | null>;
  readonly onStatus: (news: StatusUpdate) => void;
  readonly onNote: (sentence: string) => void;
  /** @param percent Of the answers of this model. */
  readonly onProgress: (percent: number, what: string) => void;
  /** How long the rounds take, in milliseconds; `null`: not known. */
  readonly onEstimate: (ms: number | null) => void;
}

/** An unload may have to wait for a generation that was left. */
const UNLOAD_MS = 30_000;
/** Between two tries to unload a model that is in use. */
const BUSY_MS = 200;

/**
 * Measures one model: its load where it is not in memory, then rounds of answers. A model that was loaded
 * here is unloaded afterwards, also after a failure. Rejects only if it is aborted.
 */
export const benchModel = (name: string, context: BenchContext): Promise<ModelReport> =>
  new ModelBench(name, context).measure();

/**
 * A service that refuses to unload a model in use notices the end of an aborted generation a moment after
 * its request has ended. Other clients may use the model, too, so the unload is not forced.
 */
async function unloadWhenFree(
  client: FoundryClient,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await client.unloadModel(id, { signal });
      return;
    } catch (thrown) {
      if (toFoundryError(thrown).code !== "MODEL_BUSY") throw thrown;
      await setTimeout(BUSY_MS, undefined, { signal });
    }
  }
}

interface Cell {
  readonly prompt: PromptKind;
  readonly atOnce: number;
  readonly rounds: Round[];
}

class ModelBench {
  readonly #context: BenchContext;
  #id: string;
  #load: ModelReport["load"] = { ms: null, status: "failed", unloaded: false };
  #isLoadedHere = false;
  #memory: { before_load: number | null; loaded: number | null; highest: number | null } = {
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
  }

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
    if (!this.#isLoadedHere) return;
    const { client, onStatus, onNote } = this.#context;
    onStatus({ step: "waiting", message: `Unloading ${this.#id}`, percent: null });
    try {
      await unloadWhenFree(client, this.#id, AbortSignal.timeout(UNLOAD_MS));
      this.#load = { ...this.#load, unloaded: true };
    } catch {
      onNote(
        `${this.#id} stays in memory: it could not be unloaded. \`foundry-local-mcp unload ${this.#id}\` tries it again.`,
      );
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
      concurrency: chooseConcurrency(
        cases.map((each) => ({
          prompt: each.prompt,
          atOnce: each.at_once,
          tokensPerSecond: each.total_tokens_per_second?.median ?? null,
          answers: each.answers,
          failed: each.failed,
        })),
      ),
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
    const { client, signal, onStatus, memory } = this.#context;
    this.#memory.before_load = await memory();
    try {
      const { model, status, elapsedMs } = await client.loadModel(this.#id, { signal, onStatus });
      this.#id = model;
      this.#isLoadedHere = status === "loaded";
      this.#load = this.#isLoadedHere
        ? { ms: elapsedMs, status: "measured", unloaded: false }
        : { ms: null, status: "already_loaded", unloaded: false };
    } catch (thrown) {
      const error = toFoundryError(thrown);
      if (error.code !== "UNSUPPORTED_BY_SERVER") throw error;
      this.#load = { ms: null, status: "by_service", unloaded: false };
    }
    if (!this.#isLoadedHere) {
      this.#memory.before_load = null;
      const why =
        this.#load.status === "by_service"
          ? "this service loads models by itself"
          : "the model was in memory already, and stays there";
      this.#notMeasured.push(`The load: ${why}.`);
    }
    this.#memory.loaded = await this.#readMemory();
  }

  /** One answer of each kind, which does not count. */
  async #warmUp(): Promise<PromptKind[]> {
    const { signal, onEstimate, rounds } = this.#context;
    const kinds: PromptKind[] = [];
    let roundMs: number | null = 0;
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
      // As if the service worked on one after the other.
      const answers = AT_ONCE.reduce((sum, atOnce) => sum + atOnce, 0);
      roundMs = roundMs === null || !Number.isFinite(ms) ? null : roundMs + ms * answers;
    }
    onEstimate(roundMs === null ? null : roundMs * rounds);
    return kinds;
  }

  /** Each number at once in each round, so that all have some where the time is over early. */
  async #rounds(kinds: readonly PromptKind[]): Promise<void> {
    const { rounds, withinMs, signal, onProgress } = this.#context;
    this.#cells = kinds.flatMap((prompt) =>
      AT_ONCE.map((atOnce) => ({ prompt, atOnce, rounds: [] })),
    );
    const timeLimit = AbortSignal.timeout(withinMs);
    const ask = this.#ask(AbortSignal.any([signal, timeLimit]));
    const all = rounds * this.#cells.reduce((sum, { atOnce }) => sum + atOnce, 0);
    let done = 0;
    for (let round = 1; round <= rounds; round += 1) {
      for (const cell of this.#cells) {
        const { prompt, atOnce } = cell;
        const what = `${prompt} prompt, ${atOnce} at once, round ${round} of ${rounds}`;
        onProgress((100 * done) / all, what);
        const prompts = this.#promptsOf(prompt, atOnce);
        try {
          if (prompts !== null) cell.rounds.push(await roundOf(prompts, ask));
        } catch (thrown) {
          if (signal.aborted || !timeLimit.aborted) throw thrown;
          this.#notMeasured.push(
            `The other rounds: ${withinMs / 60_000} min is their limit (\`--minutes\`).`,
          );
          return;
        }
        done += atOnce;
        await this.#readMemory();
      }
    }
    onProgress(100, "done");
  }

  /** For the estimates of the server. */
  async #remember(): Promise<void> {
    const { cases, device, model: id } = this.#report();
    const one = (prompt: PromptKind): CaseReport | undefined =>
      cases.find((each) => each.prompt === prompt && each.at_once === 1);
    const { input_tokens: tokens, first_token_ms: first } = one("long") ?? {};
    const hasFirst = tokens != null && first != null && first.median > 0;
    if (this.#isSimulated || !this.#context.isOnThisMachine) return;
    await this.#context.client.speeds?.measured(
      { id, device },
      {
        tokensPerSecond: one("short")?.tokens_per_second?.median ?? null,
        promptTokensPerSecond: hasFirst ? (tokens * 1000) / first.median : null,
      },
    );
  }

  #ask(signal: AbortSignal): Ask {
    const { client, answerTokens } = this.#context;
    return { client, model: this.#id, maxTokens: answerTokens, signal };
  }

  #promptsOf(kind: PromptKind, count: number): string[] | null {
    const { answerTokens } = this.#context;
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
    const memory = await this.#context.memory();
    if (memory !== null) this.#memory.highest = Math.max(this.#memory.highest ?? 0, memory);
    return memory;
  }
}

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
