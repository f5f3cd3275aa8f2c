import type { DialectName } from "../dialects/index.js";

/** What is asked for: a model, and the kind of service that runs it. */
export interface Wish {
  /** Exact id of the model. */
  readonly model: string;
  readonly dialect: DialectName;
  readonly signal: AbortSignal;
}

/**
 * Who decides when a completion may use its model, such as a queue. Resolves with what gives the
 * place back; rejects when there is none to be had, or at the signal's abort.
 */
export type Admit = (wish: Wish) => Promise<() => void>;
