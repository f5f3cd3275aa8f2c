import * as z from "zod";
import {
  checkOptions,
  optionFields,
  type FoundryClientOptions as ServiceOptions,
} from "../foundry/index.js";
import { requestSettings, WHOLE_NUMBERS, wholeNumber } from "../lib/index.js";
import type { Routes } from "./routes.js";

/** How to reach a service, its time limits, and how many requests it gets at once. */
export interface FoundryClientOptions extends ServiceOptions {
  /**
   * Generations at once per model. Default `"auto"`: 1 on the old service and on core 1.x, 4 on
   * core 2.x and on other engines.
   */
  readonly concurrency?: number | "auto" | undefined;
  /** Completions that may wait; a further one is refused with `QUEUE_FULL`. Default 64. */
  readonly queueLimit?: number | undefined;
  /**
   * Completions that this client starts a minute, spread evenly, for all models together; the others
   * wait in their queues. Default 0: no limit.
   */
  readonly rateLimit?: number | undefined;
  /**
   * Whole answers that are kept for identical requests at temperature 0 or with a seed, to the same model id
   * and version of the service. Default 0: none; 1000 with `cacheFolder`.
   */
  readonly cache?: number | undefined;
  /**
   * Settings of requests by the name of a purpose, which is given as their `model`: `{ code: { model: "auto" } }`. A route comes
   * before a model of the same name. Default: none.
   */
  readonly routes?: Routes | undefined;
  /**
   * A folder in which they are kept instead of in memory: answers then lie on the disk, prompts only as
   * hashes. Only this user can read the files. Several processes may share the folder.
   */
  readonly cacheFolder?: string | undefined;
}

const CACHE_FOLDER = "the path of a folder";

const clientOptions = z.strictObject({
  ...optionFields,
  concurrency: z
    .union(
      [z.literal("auto"), wholeNumber(WHOLE_NUMBERS.concurrency, ", or auto")],
      "a whole number from 1 to 64, or auto",
    )
    .optional(),
  queueLimit: wholeNumber(WHOLE_NUMBERS.queueLimit).optional(),
  rateLimit: wholeNumber(WHOLE_NUMBERS.rateLimit).optional(),
  cache: wholeNumber(WHOLE_NUMBERS.cache).optional(),
  routes: z
    .record(
      z.string(),
      z.strictObject(requestSettings, "an object such as { temperature: 0 }").partial(),
      'an object such as { code: { model: "qwen2.5-coder-7b" } }',
    )
    .optional(),
  cacheFolder: z.string(CACHE_FOLDER).min(1, CACHE_FOLDER).optional(),
});

/** The names of these options in clients of the OpenAI API. */
const OTHER_NAMES = {
  baseURL: "endpoint",
  url: "endpoint",
  host: "endpoint",
  timeout: "timeoutMs",
  maxRetries: "retry",
  retries: "retry",
  defaultHeaders: "headers",
  logger: "log",
};

/** @throws FoundryError `INVALID_ARGUMENT` with all options that are wrong. */
export function checkedOptions(given: FoundryClientOptions): FoundryClientOptions {
  checkOptions(clientOptions, given, {
    example: '{ endpoint: "http://127.0.0.1:5273" }',
    // An endpoint that is not a URL may contain a password.
    secrets: new Set(["apiKey", "headers", "endpoint"]),
    otherNames: OTHER_NAMES,
  });
  return given;
}
