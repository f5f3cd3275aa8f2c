import type { Call } from "./call.js";
import type { Installation } from "./installation.js";

/** Runs a command and resolves to its exit code. */
export type Command = (call: Call, installation: Installation) => Promise<number> | number;
