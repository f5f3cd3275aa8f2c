import type { Connection } from "./connection.js";

/** Connections to services that were lost, as long as anything of ours may still run on them. */
export class RetiredConnections {
  #all: Connection[] = [];

  get all(): readonly Connection[] {
    return this.#all;
  }

  /**
   * None is closed: streams still run on it, and whoever is between two requests is to learn from
   * the next one that it has gone.
   */
  add(connection: Connection): void {
    this.#all = this.#all.filter(({ service }) => !service.transport.isIdle);
    this.#all.push(connection);
  }

  /** One that was lost too early: it knows which of its models our own generations use. */
  takeUpAgain(endpoint: string): Connection | null {
    const same = this.#all.find(
      ({ service }) =>
        service.endpoint === endpoint &&
        !service.transport.isIdle &&
        service.transport.circuit.state === "closed",
    );
    if (same === undefined) return null;
    this.#all = this.#all.filter((connection) => connection !== same);
    return same;
  }
}
