import type { DialectContext, DialectRequest } from "../dialect.js";
import type { Memory } from "./memory.js";
import type { Core1Switches } from "./switches.js";

/** One simulated C1. */
export interface Core1 {
  readonly context: DialectContext;
  readonly switches: Core1Switches;
  readonly memory: Memory;
}

/** A request whose route was found. */
export interface Call {
  readonly core: Core1;
  readonly request: DialectRequest;
  /** The variable segment of the path, decoded; empty where the route has none. */
  readonly name: string;
}

export type Handler = (call: Call) => Promise<void>;
