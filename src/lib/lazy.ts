/** A value that is made when it is first wanted, and then kept. A failure is not kept. */
export class Lazy<T> {
  readonly #make: () => Promise<T>;
  #making: Promise<T> | null = null;
  #made: T | null = null;

  constructor(make: () => Promise<T>) {
    this.#make = make;
  }

  /** The value, if it has been made. */
  get made(): T | null {
    return this.#made;
  }

  get(): Promise<T> {
    this.#making ??= this.#make().then(
      (value) => {
        this.#made = value;
        return value;
      },
      (error: unknown) => {
        this.#making = null;
        throw error;
      },
    );
    return this.#making;
  }
}
