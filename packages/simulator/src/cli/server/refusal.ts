import type { Call } from "../call.js";

/** Prints an error in its known form, with ASSUMED words. @returns the exit code. */
export function refused(call: Call, why: string): number {
  call.complain(`● error: ${why}`);
  return 1;
}
