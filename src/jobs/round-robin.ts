/** A waiting list: first come, first served within a caller, one turn after the other among callers. */
export class RoundRobin<T> {
  /** By caller, in the order of their turns. No list is empty. */
  readonly #waiting = new Map<string, T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(caller: string, one: T): void {
    this.#size += 1;
    const own = this.#waiting.get(caller);
    if (own === undefined) this.#waiting.set(caller, [one]);
    else own.push(one);
  }

  remove(caller: string, one: T): void {
    const own = this.#waiting.get(caller);
    const index = own?.indexOf(one) ?? -1;
    if (own === undefined || index < 0) return;
    own.splice(index, 1);
    this.#size -= 1;
    if (own.length === 0) this.#waiting.delete(caller);
  }

  /** Removes the entry whose turn it is. Its caller goes to the end of the round. */
  next(): T | undefined {
    const [first] = this.#waiting;
    if (first === undefined) return undefined;
    const [caller, own] = first;
    const one = own.shift();
    this.#size -= 1;
    this.#waiting.delete(caller);
    if (own.length > 0) this.#waiting.set(caller, own);
    return one;
  }

  /** All waiting entries, in the order in which they would be taken without new ones. */
  order(): T[] {
    const order: T[] = [];
    for (let turn = 0; order.length < this.#size; turn += 1) {
      for (const own of this.#waiting.values()) {
        const one = own[turn];
        if (one !== undefined) order.push(one);
      }
    }
    return order;
  }
}
