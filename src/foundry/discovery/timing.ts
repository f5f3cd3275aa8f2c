import { setTimeout } from "node:timers/promises";

/** The time limits of a search, in milliseconds, and its clock. Tests inject others. */
export interface Timing {
  /** Probing one candidate, in all. A running service answers within a few milliseconds. */
  readonly probeMs: number;
  /** Probing one of the known ports, where most likely nothing listens. */
  readonly portMs: number;
  /** The command line's status. It was observed to take half a second to ten seconds. */
  readonly cliMs: number;
  /** After this, a good answer from a later source does not wait for an earlier source. */
  readonly graceMs: number;
  /** The whole scan, until something is started. */
  readonly scanMs: number;
  /** The interval between polls of a service that is starting. */
  readonly pollMs: number;
  /** How long a service that reports "running" may take until it listens. */
  readonly deadMs: number;
  /**
   * How long polling continues after the start command has failed: its output may have been
   * misread, or another program may have started the service.
   */
  readonly afterFailureMs: number;
  /**
   * How long the status may report "not running" after the start command has succeeded. Right after
   * the start that is normal (#13, #286).
   */
  readonly stoppedMs: number;
  /** How long a search that found nothing is the answer to further searches. */
  readonly failureKeptMs: number;
  /** A monotonic clock, in milliseconds. */
  now(): number;
  /** Rejects when the signal is aborted. */
  pause(ms: number, signal: AbortSignal): Promise<void>;
}

export const TIMING: Timing = {
  probeMs: 5_000,
  portMs: 2_000,
  cliMs: 9_000,
  graceMs: 1_500,
  scanMs: 12_000,
  pollMs: 500,
  deadMs: 3_000,
  afterFailureMs: 5_000,
  stoppedMs: 15_000,
  failureKeptMs: 1_000,
  now: () => performance.now(),
  pause: (ms, signal) => setTimeout(ms, undefined, { signal }),
};
