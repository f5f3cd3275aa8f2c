/** A mutex with a queue: first come, first served. */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  /** Runs `work` after all earlier work has ended, whether it succeeded or not. */
  async run<T>(work: () => Promise<T> | T): Promise<T> {
    const before = this.#tail;
    let release = () => {};
    this.#tail = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    try {
      return await work();
    } finally {
      release();
    }
  }
}
