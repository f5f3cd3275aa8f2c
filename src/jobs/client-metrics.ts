import type { CircuitState } from "../foundry/index.js";
import type { RecordedMetrics } from "../lib/index.js";

/** What a client has done. */
export interface ClientMetrics extends RecordedMetrics {
  /** Of the service in use; `null`: none was needed yet. */
  readonly endpoint: string | null;
  /** How often the circuit breaker of an endpoint opened and closed, and its state at the service in use. */
  readonly circuit: RecordedMetrics["circuit"] & { readonly state: CircuitState | null };
  /** Completions of this client that have a place and that wait, now. */
  readonly queue: { readonly running: number; readonly waiting: number };
}
