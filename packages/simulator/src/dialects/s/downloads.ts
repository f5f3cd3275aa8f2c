/** What the downloads of a service leave behind, by the id of the model. */
export class Downloads {
  readonly #percent = new Map<string, number>();
  readonly #running = new Map<string, number>();
  readonly #corrupt = new Set<string>();
  readonly #troubled = new Set<string>();

  /** What has come so far, 0 to 100. Stays when a download ends early. */
  percentOf(id: string): number {
    return this.#percent.get(id) ?? 0;
  }

  reached(id: string, percent: number): void {
    this.#percent.set(id, Math.max(this.percentOf(id), percent));
  }

  isRunning(id: string): boolean {
    return (this.#running.get(id) ?? 0) > 0;
  }

  /** Two at once write into the same files. */
  begin(id: string): void {
    const running = (this.#running.get(id) ?? 0) + 1;
    this.#running.set(id, running);
    if (running > 1) this.#corrupt.add(id);
    else if (this.percentOf(id) === 0) this.#corrupt.delete(id);
  }

  end(id: string): void {
    this.#running.set(id, (this.#running.get(id) ?? 0) - 1);
  }

  /** Everything has come: the next download begins anew, if the model is removed. */
  complete(id: string): void {
    this.#percent.delete(id);
  }

  isCorrupt(id: string): boolean {
    return this.#corrupt.has(id);
  }

  /** Whether it is the first time that trouble meets this model. */
  firstTrouble(id: string): boolean {
    const first = !this.#troubled.has(id);
    this.#troubled.add(id);
    return first;
  }
}
