/** The state of downloads, by the id of the model. */
export class Downloads {
  readonly #percent = new Map<string, number>();
  readonly #running = new Set<string>();
  readonly #troubled = new Set<string>();

  /** How far it came, 0 to 100. Kept when a download ends early. */
  percentOf(id: string): number {
    return this.#percent.get(id) ?? 0;
  }

  reached(id: string, percent: number): void {
    this.#percent.set(id, Math.max(this.percentOf(id), percent));
  }

  isRunning(id: string): boolean {
    return this.#running.has(id);
  }

  begin(id: string): void {
    this.#running.add(id);
  }

  end(id: string): void {
    this.#running.delete(id);
  }

  /** The next download starts at 0, if the model is removed. */
  complete(id: string): void {
    this.#percent.delete(id);
  }

  /** Whether it is the first time that trouble meets this model. */
  firstTrouble(id: string): boolean {
    const first = !this.#troubled.has(id);
    this.#troubled.add(id);
    return first;
  }
}
