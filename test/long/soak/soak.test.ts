import { expect, test } from "vitest";
import { isMeasured } from "../fuzz/cpu.js";
import { soak } from "./run.js";
import { summaryText, warmSamples } from "./summary.js";

/** Above what two collections of garbage differ by. */
const MAY_GROW_MB = 12;

// What a process holds is read from /proc.
test.skipIf(!isMeasured)(
  "forty seconds of faults, restarts and cancels leave nothing behind",
  async () => {
    const summary = await soak({ seconds: 40, seed: 14, callers: 8 });
    process.stdout.write(`${summaryText(summary)}\n`);
    expect(summary.faults).toEqual([]);
    for (const { ledger, samples } of summary.servers) {
      expect(ledger.sent).toBe(ledger.answered + ledger.cancelled);
      const [first, ...others] = warmSamples(samples);
      expect((others.at(-1)?.heapMb ?? 0) - (first?.heapMb ?? 0)).toBeLessThan(MAY_GROW_MB);
    }
  },
);
