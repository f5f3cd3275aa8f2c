/** One at a time, in the order in which they came: a `std::mutex` with a queue. */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  /** Runs `work` once everybody who came before is done, whether they succeeded or not. */
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
