import { cancelledError, type FoundryError, onAbort } from "../lib/index.js";

type EndListener = (error: FoundryError) => void;

/**
 * What can end a call before its last byte: its caller's signal, and the transport being closed.
 * It spans all attempts and the pauses between them.
 */
export class CallScope {
  readonly #signal: AbortSignal | undefined;
  readonly #listeners = new Set<EndListener>();
  readonly #open: Set<CallScope>;
  readonly #stopListening: () => void;
  #endedBy: FoundryError | null = null;

  /** @param open The calls in flight; this one is among them until {@link dispose}. */
  constructor(signal: AbortSignal | undefined, open: Set<CallScope>) {
    this.#signal = signal;
    this.#open = open;
    open.add(this);
    this.#stopListening =
      signal === undefined ? () => {} : onAbort(signal, () => this.end(cancelledError()));
  }

  /** Why the call is over, or `null` while it may go on. */
  get endedBy(): FoundryError | null {
    // Checks the signal itself, too: after `dispose` no listener reports an abort.
    if (this.#endedBy === null && this.#signal?.aborted === true) this.#endedBy = cancelledError();
    return this.#endedBy;
  }

  throwIfEnded(): void {
    if (this.endedBy !== null) throw this.endedBy;
  }

  end(error: FoundryError): void {
    this.#endedBy ??= error;
    for (const listener of [...this.#listeners]) listener(this.#endedBy);
    this.dispose();
  }

  onEnd(listener: EndListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Resolves after `ms`, rejects at once when the call ends. */
  async pause(ms: number): Promise<void> {
    this.throwIfEnded();
    let stopListening = () => {};
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      stopListening = this.onEnd((error) => {
        clearTimeout(timer);
        reject(error);
      });
    }).finally(stopListening);
  }

  /** Forgets the signal and the transport: nothing of this call is in flight any more. */
  dispose(): void {
    this.#stopListening();
    this.#open.delete(this);
    this.#listeners.clear();
  }
}
