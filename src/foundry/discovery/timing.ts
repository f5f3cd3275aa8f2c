import { setTimeout } from "node:timers/promises";

/** The time limits of a search, in milliseconds, and its clock. Tests inject others. */
export const TIMING = {
  /** Probing one candidate, in all. A running service answers within a few milliseconds. */
  probeMs: 5_000,
  /** Probing one of the known ports, where most likely nothing listens. */
  portMs: 2_000,
  /** The command line's status. It was observed to take half a second to ten seconds. */
  cliMs: 9_000,
  /** After this, a good answer from a later source does not wait for an earlier source. */
  graceMs: 1_500,
  /** The whole scan, until something is started. */
  scanMs: 12_000,
  /** The interval between polls of a service that is starting. */
  pollMs: 500,
  /** How long a service that reports "running" may take until it listens. */
  deadMs: 3_000,
  /**
   * How long polling continues after the start command has failed: its output may have been
   * misread, or another program may have started the service.
   */
  afterFailureMs: 5_000,
  /**
   * How long the status may report "not running" after the start command has succeeded. Right after
   * the start that is normal (#13, #286).
   */
  stoppedMs: 15_000,
  /** How long a search that found nothing is the answer to further searches. */
  failureKeptMs: 1_000,
  /** A monotonic clock, in milliseconds. */
  now: (): number => performance.now(),
  /** Rejects when the signal is aborted. */
  pause: (ms: number, signal: AbortSignal): Promise<void> => setTimeout(ms, undefined, { signal }),
};

export type Timing = Readonly<typeof TIMING>;
