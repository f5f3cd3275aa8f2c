import * as z from "zod";
import { checkedAnswers, type ScriptedAnswer } from "./answers.js";
import { CORE1_SWITCHES, type Core1Switches } from "./dialects/c1/switches.js";
import { SERVICE_SWITCHES, type ServiceSwitches } from "./dialects/s/switches.js";
import type { ModelOptions } from "./models/model.js";

/** The kinds of service that are simulated. */
export const DIALECTS = ["S", "C1", "C2", "openai"] as const;
export type DialectName = (typeof DIALECTS)[number];

/** The switches of C1 and S; each reads its own. */
export type AnySwitches = Core1Switches & ServiceSwitches;

/** What {@link startSimulator} takes. Everything has a default. */
export interface SimulatorOptions {
  /** Default `"C2"`. `"S"`: the service of the old CLI; `"C1"`: core 1.x. `"openai"`: a plain OpenAI-compatible engine, all of whose models are loaded. */
  readonly dialect?: DialectName;
  /** `"C2"` only: the version of the core. Default: the newest that is simulated. */
  readonly version?: string;
  /** Default 0: a free port. */
  readonly port?: number;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /**
   * Default: a catalog like a real one, with four models downloaded and none loaded; with `answers`,
   * phi-4-mini is loaded.
   */
  readonly models?: readonly ModelOptions[];
  /** Scripted answers, for every model: the first that matches the prompt is given. Default: none. */
  readonly answers?: readonly ScriptedAnswer[];
  /** The speed of one generation. Default `Infinity`. */
  readonly tokensPerSecond?: number;
  /** From a request to its first token, in milliseconds. Default 0. */
  readonly firstTokenMs?: number;
  /** The duration of a load, in milliseconds. Default 0. */
  readonly loadMs?: number;
  /** `"S"` only: the duration of a download, in milliseconds, whatever the size of the model. Default 0. */
  readonly downloadMs?: number;
  /** `"C1"` and `"S"` only: behaviours that differ from the default. */
  readonly switches?: Partial<AnySwitches>;
  /**
   * A directory to write the model cache's files to. Default: none are written, and the service
   * names a directory that does not exist.
   */
  readonly modelCachePath?: string;
  /** `"openai"` only: the API key that requests must send. Default: none is required. */
  readonly apiKey?: string;
}

const switchNames = z.enum(Object.keys({ ...CORE1_SWITCHES, ...SERVICE_SWITCHES }));

const optionsSchema = z.strictObject({
  dialect: z.enum(DIALECTS).default("C2"),
  version: z.string().optional(),
  port: z.number().int().min(0).max(65_535).default(0),
  host: z.string().default("127.0.0.1"),
  models: z.array(z.unknown()).optional(),
  answers: z.array(z.unknown()).default([]),
  tokensPerSecond: z.union([z.number().positive(), z.literal(Infinity)]).default(Infinity),
  firstTokenMs: z.number().min(0).default(0),
  loadMs: z.number().min(0).default(0),
  downloadMs: z.number().min(0).default(0),
  switches: z.partialRecord(switchNames, z.unknown()).optional(),
  modelCachePath: z.string().optional(),
  apiKey: z.string().optional(),
});

/** @throws when an option is unknown or does not fit; says which. */
export function checkedOptions(options: SimulatorOptions) {
  const parsed = optionsSchema.safeParse(options);
  if (!parsed.success) throw new Error(`simulator options: ${z.prettifyError(parsed.error)}`);
  const { models, switches } = options;
  return { ...parsed.data, models, switches, answers: checkedAnswers(parsed.data.answers) };
}
