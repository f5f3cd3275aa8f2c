import type { Call } from "../call.js";

/** The form of its complaints; the words are ASSUMED. Gives the exit code. */
export function refused(call: Call, why: string): number {
  call.complain(`● error: ${why}`);
  return 1;
}
