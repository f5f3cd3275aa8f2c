/**
 * What `bench --json` prints, once, and nothing besides. Members may be added; none goes or changes its
 * meaning without another `format`. Unknown facts are `null`.
 */
export interface BenchReport {
  readonly format: 1;
  /** Of foundry-local-mcp. */
  readonly version: string;
  /** When the measurement began, in ISO 8601. */
  readonly at: string;
  readonly machine: {
    readonly node: string;
    readonly platform: string;
    readonly arch: string;
    readonly cpu: string | null;
    readonly cores: number;
    readonly memory_mb: number;
  };
  readonly service: {
    readonly endpoint: string | null;
    readonly name: string | null;
    readonly version: string | null;
  };
  /** Whether an answer came from the simulator: then the figures describe no model. */
  readonly simulated: boolean;
  readonly settings: {
    readonly rounds: number;
    readonly answer_tokens: number;
    readonly minutes: number;
  };
  readonly models: readonly ModelReport[];
  readonly concurrency: ConcurrencyChoice;
}

export interface ModelReport {
  /** Exact id; the name as it was given where the model was not found. */
  readonly model: string;
  readonly alias: string | null;
  readonly device: string | null;
  readonly simulated: boolean;
  readonly load: {
    /** Of one load; `null`: not measured. */
    readonly ms: number | null;
    readonly status: "measured" | "already_loaded" | "by_service" | "failed";
    /** Whether it was taken out of memory afterwards. */
    readonly unloaded: boolean;
  };
  /** Of the process of the service, all models included, in MB (1024 KB). */
  readonly memory_mb: {
    readonly before_load: number | null;
    readonly loaded: number | null;
    /** The highest of the figures that were read between the rounds. */
    readonly highest: number | null;
  };
  readonly cases: readonly CaseReport[];
  /** What was not measured and why, each a sentence. */
  readonly not_measured: readonly string[];
  readonly concurrency: ConcurrencyChoice;
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly action: string;
  } | null;
}

/** A value for FOUNDRY_CONCURRENCY. */
export interface ConcurrencyChoice {
  /** `null`: too little was measured. */
  readonly value: number | null;
  readonly reason: string;
}

export const PROMPT_KINDS = ["short", "long"] as const;
export type PromptKind = (typeof PROMPT_KINDS)[number];

/** One kind of prompt, so many at once. */
export interface CaseReport {
  readonly prompt: PromptKind;
  readonly at_once: number;
  readonly rounds: number;
  readonly answers: number;
  readonly failed: number;
  /** Medians of the answers. */
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  /** Whether the service did not count all tokens. */
  readonly estimated: boolean;
  /** From the request to the first token. */
  readonly first_token_ms: Spread | null;
  /** Of one answer, from its first token to its last. */
  readonly tokens_per_second: Spread | null;
  /** Of all answers of a round together, from the requests to the last token. */
  readonly total_tokens_per_second: Spread | null;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** `null` for no value at all. */
export function spreadOf(values: readonly (number | null)[]): Spread | null {
  const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
  const last = sorted.length - 1;
  if (last < 0) return null;
  const at = (index: number): number => sorted[Math.floor(index)] ?? 0;
  const median = (at(last / 2) + at((last + 1) / 2)) / 2;
  return { median: tenths(median), min: tenths(at(0)), max: tenths(at(last)) };
}

const tenths = (value: number): number => Math.round(value * 10) / 10;

export const recommendation = ({ value }: ConcurrencyChoice): string =>
  value === null ? "No FOUNDRY_CONCURRENCY is recommended" : `FOUNDRY_CONCURRENCY=${value}`;

/** What a reader of any form of the report has to know first. */
export const SIMULATED =
  "SIMULATED: the answers came from the simulator, so these figures describe no model.";

/** What the figures are, in every form of the report. */
export function methodOf({ settings, models }: BenchReport): string {
  const { rounds, answer_tokens: tokens } = settings;
  const counts = rounds === 1 ? "one round" : `${rounds} rounds`;
  const isGuessed = models.some(({ cases }) => cases.some(({ estimated }) => estimated));
  const guessed = isGuessed
    ? " A number with ~ rests on tokens that the service did not count."
    : "";
  return `Medians of ${counts} of answers with at most ${tokens} tokens, after one answer of each kind that does not count. Each prompt begins differently, so that no cache of prompts helps. The load is a single one, with files that the system may have had in its memory.${guessed}`;
}
