import { setTimeout } from "node:timers/promises";

/** How patient a search is, in milliseconds, and its clock. Tests hand in others. */
export interface Timing {
  /** One candidate, in all. A living service answers in a few. */
  readonly probeMs: number;
  /** One of the known ports, where most likely nothing listens. */
  readonly portMs: number;
  /** The command line about the state. It was seen to take half a second to ten seconds. */
  readonly cliMs: number;
  /** After that, a good answer from further down the order need not wait for one further up. */
  readonly momentMs: number;
  /** Looking everywhere, until something is started. */
  readonly lookMs: number;
  /** From one look at a service that comes up to the next. */
  readonly pollMs: number;
  /** How long a service that says it runs, and does not listen, is given to do so. */
  readonly deadMs: number;
  /**
   * How long is looked on after the command to start has failed: what it said may only not have been
   * understood, or somebody else may have started it.
   */
  readonly afterFailureMs: number;
  /**
   * How long a service may be said not to run after the command to start it was content. Right after
   * the start that is normal (#13, #286).
   */
  readonly stoppedMs: number;
  /** How long a search that found nothing answers for those who ask again. */
  readonly failureKeptMs: number;
  /** Milliseconds that only grow. */
  now(): number;
  /** Rejects when the signal is aborted. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

export const TIMING: Timing = {
  probeMs: 5_000,
  portMs: 2_000,
  cliMs: 9_000,
  momentMs: 1_500,
  lookMs: 12_000,
  pollMs: 500,
  deadMs: 3_000,
  afterFailureMs: 5_000,
  stoppedMs: 15_000,
  failureKeptMs: 1_000,
  now: () => performance.now(),
  pause: (ms, signal) => setTimeout(ms, undefined, { signal }),
};
