import type { Fault } from "./fault.js";
import { faultFromText } from "./fault-text.js";
import { type ArmedFault, parseFault } from "./parse-fault.js";

/** The faults that were added. */
export class Faults {
  readonly #armed: ArmedFault[] = [];

  /** Returns a function that removes the fault. */
  add(fault: Fault | string): () => void {
    const armed = typeof fault === "string" ? faultFromText(fault) : parseFault(fault);
    this.#armed.push(armed);
    return () => {
      armed.left = 0;
    };
  }

  /** The first added fault that matches this request, which is counted. */
  take(method: string, path: string): ArmedFault | null {
    const met = this.#armed.find((armed) => armed.left > 0 && armed.matches(method, path));
    if (met === undefined) return null;
    met.left -= 1;
    return met;
  }
}
