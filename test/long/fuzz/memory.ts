import { expect } from "vitest";

/** The memory in use after a garbage collection. */
export interface Memory {
  readonly heapMb: number;
  readonly residentMb: number;
}

/**
 * Above what the heap differs by between two collections, and far below a kilobyte for each input. Of the
 * resident memory V8 may have given back a hundred megabytes just before the first look.
 */
const MAY_GROW: Memory = { heapMb: 12, residentMb: 160 };

export function expectNoGrowth([began, ended]: readonly Memory[]): void {
  if (began === undefined || ended === undefined) return;
  process.stdout.write(`memory in MB: ${JSON.stringify({ began, ended })}\n`);
  expect(ended.heapMb - began.heapMb).toBeLessThan(MAY_GROW.heapMb);
  expect(ended.residentMb - began.residentMb).toBeLessThan(MAY_GROW.residentMb);
}
