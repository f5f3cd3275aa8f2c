import * as z from "zod";
import {
  type CallOptions,
  type CompletionRequest,
  callOptions,
  listener,
  type ServiceClient,
  type StreamOptions,
  signalOption,
  traceOption,
  withinMs,
} from "../foundry/index.js";
import type { FoundryError, Trace } from "../lib/index.js";
import type { FoundryClientOptions } from "./client-options.js";
import type { CompletionState, OpenParts, RunEvent, RunParts } from "./completion-run.js";
import type { StoreLimits } from "./completion-store.js";
import type { CompletionStreamParts, Gate, OpenedCompletion } from "./completion-stream.js";

/**
 * What completions run on.
 * @internal
 */
export type CompletionService = Pick<ServiceClient, "openCompletion" | "stopsWhenLeft" | "metrics">;

/** @internal */
export interface CompletionsOptions
  extends Pick<
    FoundryClientOptions,
    "concurrency" | "queueLimit" | "rateLimit" | "cache" | "cacheFolder" | "routes" | "log"
  > {
  readonly limits?: Partial<StoreLimits> | undefined;
  /** A monotonic clock in milliseconds. For tests. */
  readonly now?: (() => number) | undefined;
}

/** A change of a completion. */
export type CompletionChange = RunEvent["type"] | "started" | "gone";

export interface CacheOption {
  /** `false`: neither takes the answer from the cache (the client's option `cache`) nor keeps it there. */
  readonly cache?: boolean | undefined;
}

/** What a completion takes besides its request. */
export interface CompleteOptions extends CallOptions, CacheOption {}

export interface StartOptions extends CacheOption {
  /** Callers have their turns round-robin. Default: one caller for all. */
  readonly caller?: string | undefined;
  /**
   * The connection of the caller. A repeated request over the same connection joins a completion that
   * began more than three seconds ago: some hosts time out without a notification and repeat the
   * call. Default: none is joined.
   */
  readonly session?: string | undefined;
  /** Join an identical completion instead of starting a second. Default `true`. */
  readonly join?: boolean | undefined;
  /** As in the options of a call. A completion that is joined keeps that of its first call. */
  readonly trace?: Trace | undefined;
}

/** @internal */
export interface BeginOptions extends StartOptions {
  /** Makes the answer of other completions, in place of one by the service. The request only identifies it. */
  readonly open?: ((parts: ComposedParts) => OpenedCompletion) | undefined;
  /** Another process has begun it: it waits also in a full queue. Default `false`. */
  readonly goesOn?: boolean | undefined;
}

/** What a run gives a completion that is made of others. */
export interface ComposedParts extends OpenParts {
  /** On whose behalf the others wait in the queue. Default: one caller for all. */
  readonly caller?: string | undefined;
  /** Of an item of a batch. */
  readonly gate?: Gate | undefined;
}

/**
 * An item of a batch: a request, what makes its answer of other completions, or why what was given is neither. Then
 * only this item fails.
 */
export type BatchEntry =
  | CompletionRequest
  | ((parts: ComposedParts) => OpenedCompletion)
  | FoundryError;

/** @internal */
export interface EnlistOptions {
  readonly id: string;
  readonly batchId: string;
  /** Where the completion waits for its turn in the batch. */
  readonly gate: Gate;
  readonly onEvent: (event: RunEvent) => void;
  readonly trace?: Trace | undefined;
}

/**
 * What a completion stream takes from a run that is kept, or from a reader of its own.
 * @internal
 */
export interface OpenOptions extends StreamOptions, CacheOption {
  readonly caller?: string | undefined;
  readonly onPlace?: CompletionStreamParts["onPlace"];
  readonly gate?: Gate | undefined;
  /** Gives way to completions that are of no batch. Default: whether a gate is given. */
  readonly isBatch?: boolean | undefined;
  /** Part of work that has begun: it waits also in a full queue. Default `false`. */
  readonly goesOn?: boolean | undefined;
  /** Whether the request has the settings of its route already. Default `false`. */
  readonly isRouted?: boolean | undefined;
}

/** A completion of another process. */
export type AdoptOptions = Pick<
  RunParts,
  "id" | "batchId" | "key" | "createdAt" | "onEvent" | "open"
>;

/** What another process needs to go on with a completion. */
export interface CompletionRecord {
  readonly key: string | null;
  /** `null` after its end, and where another process runs it. */
  readonly request: CompletionRequest | null;
  readonly state: CompletionState;
}

const cacheOption = { cache: z.boolean("true or false").optional() };
/** @internal */
export const completeOptions = callOptions.extend(cacheOption);
/** @internal */
export const startOptions = z.strictObject({
  ...cacheOption,
  caller: z.string("a string").optional(),
  session: z.string("a string").optional(),
  join: z.boolean("true or false").optional(),
  ...traceOption,
});
/** @internal */
export const waitOptions = z.strictObject({
  withinMs,
  ...signalOption,
  onEvent: listener.optional(),
});
/** @internal */
export const listenerArgument = z.object({ listener });

export interface Cancelled {
  readonly state: CompletionState;
  /** Whether the device stays busy with it; `null`: not known. */
  readonly deviceBusy: boolean | null;
}

export interface Started {
  readonly state: CompletionState;
  /** Whether this is an identical completion that was already started. */
  readonly joined: boolean;
}
