import { randomUUID } from "node:crypto";
import os from "node:os";
import { join } from "node:path";
import * as z from "zod";
import {
  jsonFrom,
  LONGEST_MODEL_NAME,
  MOST_MODELS_REMEMBERED,
  SPEED_FILE_BYTES,
} from "../lib/index.js";
import { type Logger, silentLogger } from "../log.js";
import {
  type FileFault,
  inPool,
  makePrivateDirectory,
  ownUid,
  readSmallFile,
  replaceFile,
  stableHost,
} from "../platform/index.js";
import type { Completion, EndedCompletion } from "./completion/index.js";

/** How fast a model was on this machine. `null`: not measured. */
export interface Speed {
  /** Of one answer, after its first token. */
  readonly tokensPerSecond: number | null;
  /** Tokens of the prompt in the time to the first token. */
  readonly promptTokensPerSecond: number | null;
}

/** A model and the device that it runs on. */
interface SpeedKey {
  readonly id: string;
  /** `null`: unknown. */
  readonly device: string | null;
}

interface SpeedMemoryOptions {
  /** A folder of this user alone; it is made with the first speed. */
  readonly directory: string;
  readonly log?: Logger | undefined;
  /** Milliseconds since 1970. For tests. */
  readonly now?: (() => number) | undefined;
  /** The name of this machine: a home may be shared by several. */
  readonly machine?: string | undefined;
}

/** The weight of the newest measurement of an ordinary completion. */
const WEIGHT = 0.3;
/** A speed that has changed by less than this is not worth a write. */
const SMALLEST_CHANGE = 0.1;
/** Between two writes of one process. */
const WRITE_PAUSE_MS = 60_000;
/** A reader waits so long for the file; on a disk that does not answer, nothing is known. */
const READ_MS = 500;
/** The end of a process waits for a write. */
const WRITE_MS = 1000;
const FASTEST = 1_000_000;
const REPLACEABLE: ReadonlySet<FileFault> = new Set(["absent", "too_large"]);

const speedSchema = z.number().positive().max(FASTEST).nullable().catch(null);
const entrySchema = z.object({
  model: z.string().min(1).max(LONGEST_MODEL_NAME),
  device: z.string().max(20).nullable(),
  machine: z.string().max(300),
  tokens_per_second: speedSchema,
  prompt_tokens_per_second: speedSchema,
  at: z.number().nonnegative(),
});
type Entry = z.output<typeof entrySchema>;
/** A damaged file may have far more entries than are read. */
const fileSchema = z.object({ speeds: z.array(z.unknown()) });

/**
 * The measured speeds of models in a file of this user. The file is private and bounded; a damaged one
 * counts as empty. Of two processes that write at the same time, one may lose what it has just measured.
 * Nothing here rejects: without the file nothing is known.
 */
export class SpeedMemory {
  readonly #directory: string;
  readonly #file: string;
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #machine: string;
  readonly #known = new Map<string, Entry>();
  /** What the file has of them. */
  readonly #saved = new Map<string, Entry>();
  #reading: Promise<void> | null = null;
  #writing: Promise<void> | null = null;
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor({ directory, log, now, machine }: SpeedMemoryOptions) {
    this.#directory = directory;
    this.#file = join(directory, "speeds.json");
    this.#log = log ?? silentLogger;
    this.#now = now ?? Date.now;
    this.#machine = (machine ?? stableHost(process.platform, os.hostname())).slice(0, 300);
  }

  /** Reads the file, once. Resolves after half a second at the latest. */
  read(): Promise<void> {
    this.#reading ??= this.#entries().then((entries) => {
      for (const entry of entries ?? []) {
        this.#known.set(keyOf(entry), entry);
        this.#saved.set(keyOf(entry), entry);
      }
    });
    return this.#reading;
  }

  /** What is known so far; `null`: nothing. */
  of(model: SpeedKey): Speed | null {
    const entry = this.#known.get(this.#keyOf(model));
    return entry === undefined ? null : speedOf(entry);
  }

  /** The same for a model whose device is not known here: on the device that was measured last. */
  ofId(id: string): Speed | null {
    const same = [...this.#known.values()].filter(
      ({ model, machine }) => model === id && machine === this.#machine,
    );
    const [newest] = newestFirst(same);
    return newest === undefined ? null : speedOf(newest);
  }

  /** A measurement of an ordinary completion: smoothed, and written seldom. */
  async learn(model: SpeedKey, measured: Speed): Promise<void> {
    await this.read();
    const before = this.of(model);
    const smoothed = {
      tokensPerSecond: smooth(before?.tokensPerSecond, measured.tokensPerSecond),
      promptTokensPerSecond: smooth(before?.promptTokensPerSecond, measured.promptTokensPerSecond),
    };
    this.#set(model, smoothed);
    if (this.#now() - this.#writtenAt >= WRITE_PAUSE_MS) await this.flush();
  }

  /** A measurement that is better than what ordinary completions show: it replaces the speed. */
  async measured(model: SpeedKey, speed: Speed): Promise<void> {
    await this.read();
    const before = this.of(model);
    this.#set(model, {
      tokensPerSecond: speed.tokensPerSecond ?? before?.tokensPerSecond ?? null,
      promptTokensPerSecond: speed.promptTokensPerSecond ?? before?.promptTokensPerSecond ?? null,
    });
    await this.flush();
  }

  /** Writes what has changed noticeably. Resolves after some seconds at the latest. */
  async flush(): Promise<void> {
    await this.#writing;
    const isWorthIt = this.#unsaved.some(([key, entry]) => hasChanged(this.#saved.get(key), entry));
    if (!isWorthIt) return;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
    await this.#writing;
  }

  #set(model: SpeedKey, { tokensPerSecond, promptTokensPerSecond }: Speed): void {
    if (model.id.length > LONGEST_MODEL_NAME) return;
    this.#known.set(this.#keyOf(model), {
      model: model.id,
      device: model.device,
      machine: this.#machine,
      tokens_per_second: rounded(tokensPerSecond),
      prompt_tokens_per_second: rounded(promptTokensPerSecond),
      at: this.#now(),
    });
    const oldest = newestFirst([...this.#known.values()]).slice(MOST_MODELS_REMEMBERED);
    for (const each of oldest) {
      this.#known.delete(keyOf(each));
      this.#saved.delete(keyOf(each));
    }
  }

  /** What was measured here since the last write. */
  get #unsaved(): (readonly [string, Entry])[] {
    return [...this.#known].filter(([key, entry]) => this.#saved.get(key) !== entry);
  }

  async #write(): Promise<void> {
    this.#writtenAt = this.#now();
    const own = this.#unsaved;
    // What another process wrote since is kept.
    const others = await this.#entries();
    // A file that cannot be read now is not replaced.
    if (others === null) return;
    const merged = new Map([...others.map((entry) => [keyOf(entry), entry] as const), ...own]);
    const speeds = newestFirst([...merged.values()]).slice(0, MOST_MODELS_REMEMBERED);
    const text = `${JSON.stringify({ format: 1, speeds }, null, 1)}\n`;
    const outcome = await inPool(() => this.#replace(text), WRITE_MS).catch(String);
    if (outcome !== true) {
      this.#log.debug({ outcome: String(outcome) }, "the speeds of models were not written");
      return;
    }
    for (const [key, entry] of own) this.#saved.set(key, entry);
  }

  async #replace(text: string): Promise<true> {
    await makePrivateDirectory(this.#directory);
    await replaceFile(this.#file, `${this.#file}.${randomUUID()}.tmp`, text);
    return true;
  }

  /** `null` where it cannot be read; a file that is absent or damaged is empty. */
  async #entries(): Promise<Entry[] | null> {
    const limits = { maxBytes: SPEED_FILE_BYTES, timeoutMs: READ_MS, ownerUid: ownUid() };
    const read = await readSmallFile(this.#file, limits);
    if ("fault" in read) return REPLACEABLE.has(read.fault) ? [] : null;
    const file = fileSchema.safeParse(jsonFrom(read.text));
    if (!file.success) return [];
    const first = file.data.speeds.slice(0, MOST_MODELS_REMEMBERED);
    return first.flatMap((each) => entrySchema.safeParse(each).data ?? []);
  }

  #keyOf({ id, device }: SpeedKey): string {
    return keyOf({ model: id, device, machine: this.#machine });
  }
}

const keyOf = ({ model, device, machine }: Pick<Entry, "model" | "device" | "machine">): string =>
  JSON.stringify([model, device, machine]);

const speedOf = (entry: Entry): Speed => ({
  tokensPerSecond: entry.tokens_per_second,
  promptTokensPerSecond: entry.prompt_tokens_per_second,
});

function smooth(before: number | null | undefined, measured: number | null): number | null {
  if (before === null || before === undefined) return measured;
  return measured === null ? before : before + WEIGHT * (measured - before);
}

/** `null` for what is no speed. */
function rounded(value: number | null): number | null {
  if (value === null || !Number.isFinite(value) || value > FASTEST) return null;
  const tenths = Math.round(value * 10) / 10;
  return tenths > 0 ? tenths : null;
}

function hasChanged(before: Entry | undefined, now: Entry): boolean {
  const differs = (one: number | null | undefined, other: number | null): boolean => {
    if (one === null || one === undefined || other === null) return other !== null;
    return Math.abs(other - one) > SMALLEST_CHANGE * one;
  };
  return (
    differs(before?.tokens_per_second, now.tokens_per_second) ||
    differs(before?.prompt_tokens_per_second, now.prompt_tokens_per_second)
  );
}

const newestFirst = (entries: readonly Entry[]): Entry[] => entries.toSorted((a, b) => b.at - a.at);

/** Remembers what a completion of this machine shows. */
export function learnSpeed(
  memory: SpeedMemory | null,
  { completion, model, isOnThisMachine, hiddenTokens }: EndedCompletion,
): void {
  // The time to the first token would have that of hidden thinking.
  const isMeasured = isOnThisMachine && hiddenTokens <= MOST_HIDDEN_TOKENS;
  const speed = isMeasured ? measuredSpeed(completion) : null;
  // The service may have run another variant than the one that was chosen.
  const isOfModel = model !== null && model.id === completion.model;
  if (isOfModel && speed !== null) void memory?.learn(model, speed);
}

/** An answer without thinking may have a few tokens more than pieces. */
const MOST_HIDDEN_TOKENS = 8;
/** Below these, the figures are those of the connection and of the template. */
const LEAST_ANSWER_TOKENS = 16;
const LEAST_PROMPT_TOKENS = 200;
const LEAST_FIRST_TOKEN_MS = 100;

/** What a completion shows of the speed of its model; `null`: nothing. */
export function measuredSpeed({
  status,
  cached,
  attempts,
  usage,
  timing,
  text,
  reasoning,
}: Completion): Speed | null {
  if (status !== "completed" || cached || (attempts ?? 0) !== 1) return null;
  if (isSimulatedText(`${reasoning ?? ""}\n${text}`)) return null;
  const { inputTokens, outputTokens } = usage;
  const { firstTokenMs, tokensPerSecond } = timing;
  const hasRead = (inputTokens ?? 0) >= LEAST_PROMPT_TOKENS;
  const promptTokensPerSecond =
    inputTokens !== null && hasRead && firstTokenMs !== null && firstTokenMs > LEAST_FIRST_TOKEN_MS
      ? (inputTokens * 1000) / firstTokenMs
      : null;
  const own = (outputTokens ?? 0) >= LEAST_ANSWER_TOKENS ? tokensPerSecond : null;
  return own === null && promptTokensPerSecond === null
    ? null
    : { tokensPerSecond: own, promptTokensPerSecond };
}

/** The simulator begins its texts and thoughts so. Its speed is that of no model. */
export const isSimulatedText = (text: string): boolean =>
  /This is simulated text from|This thought is simulated\./.test(text);

/** Longest silence of a generation where none is set, in milliseconds. */
export const STALL_MS = 300_000;
const LONGEST_STALL_MS = 3_600_000;
/** A long prompt takes longer for each of its tokens, and the device may have other work. */
const STALL_MARGIN = 4;

/** How long a model will read a prompt, in milliseconds; `null`: not known. */
export const readingMs = (speed: Speed | null, inputTokens: number | null): number | null =>
  speed === null || speed.promptTokensPerSecond === null || inputTokens === null
    ? null
    : (inputTokens * 1000) / speed.promptTokensPerSecond;

/** Longest silence of a generation in milliseconds, as the speed of its model suggests. */
export function stallLimit(speed: Speed | null, inputTokens: number | null): number {
  const learned = STALL_MARGIN * (readingMs(speed, inputTokens) ?? 0);
  return Math.round(Math.min(LONGEST_STALL_MS, Math.max(STALL_MS, learned)));
}
