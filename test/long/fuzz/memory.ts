import { expect } from "vitest";
import { INPUTS } from "./plan.js";

/** The memory in use after a garbage collection. */
export interface Memory {
  readonly heapMb: number;
  readonly residentMb: number;
}

/**
 * Above what the heap differs by between two collections, and about a kilobyte for each input after the first
 * look. Of the resident memory V8 may have given back a hundred megabytes just before that.
 */
const MAY_GROW: Memory = { heapMb: INPUTS < 20_000 ? 4 : 12, residentMb: 160 };

export function expectNoGrowth([began, ended]: readonly Memory[]): void {
  if (began === undefined || ended === undefined) return;
  process.stdout.write(`memory in MB: ${JSON.stringify({ began, ended })}\n`);
  expect(ended.heapMb - began.heapMb).toBeLessThan(MAY_GROW.heapMb);
  expect(ended.residentMb - began.residentMb).toBeLessThan(MAY_GROW.residentMb);
}
