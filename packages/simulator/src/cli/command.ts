import type { Call } from "./call.js";
import type { Installation } from "./installation.js";

/** Carries out a call and resolves with the exit code. */
export type Command = (call: Call, installation: Installation) => Promise<number> | number;
