import type { FoundBy } from "../discovery/index.js";
import type { ModelDownloader } from "../downloads/index.js";
import type { CapacityCheck, ModelLoader } from "../loading/index.js";
import type { Service } from "../service/index.js";

/** A service that was found, and what belongs to it. */
export interface Connection {
  readonly service: Service;
  readonly loader: ModelLoader;
  readonly downloader: ModelDownloader;
  readonly capacity: CapacityCheck;
  readonly foundBy: FoundBy;
  /** The warning in the first answer of a service that was found by guessing. */
  guessWarning: string | null;
}

/** Connections to services that are gone, as long as requests of ours may still run on them. */
export class RetiredConnections {
  all: readonly Connection[] = [];

  /**
   * A retired connection is not closed: streams may still run on it, and a call between two requests
   * gets the error from its next one.
   */
  add(connection: Connection): void {
    this.all = [...this.all.filter(({ service }) => !service.transport.isIdle), connection];
  }

  /** A connection that was retired too early: it knows which models our own generations use. */
  reuse(endpoint: string): Connection | null {
    const same = this.all.find(
      ({ service }) =>
        service.endpoint === endpoint &&
        !service.transport.isIdle &&
        service.transport.circuit.state === "closed",
    );
    if (same === undefined) return null;
    this.all = this.all.filter((connection) => connection !== same);
    return same;
  }
}
