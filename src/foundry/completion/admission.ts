/** What a completion asks the queue for. */
export interface Wish {
  /** Exact id of the model. */
  readonly model: string;
  /** How many generations of a model its service runs at once. */
  readonly generationsAtOnce: number;
  readonly signal: AbortSignal;
}

/**
 * Who decides when a completion may use its model, such as a queue. Resolves with what gives the
 * place back; rejects when there is none to be had, or at the signal's abort.
 */
export type Admit = (wish: Wish) => Promise<() => void>;
