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
