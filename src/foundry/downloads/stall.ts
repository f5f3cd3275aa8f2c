/** Notices that nothing has moved for too long. */
export class Stall {
  /** Aborted when it has. */
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(limitMs: number) {
    this.signal = this.#controller.signal;
    this.#timer = setTimeout(() => this.#controller.abort(), limitMs);
  }

  get isStalled(): boolean {
    return this.signal.aborted;
  }

  /** Something moved. */
  moved(): void {
    if (!this.isStalled) this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
