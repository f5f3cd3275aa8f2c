import { expect, test } from "vitest";
import * as z from "zod";
import { BROWSER, BrowserPage } from "../../browser.js";
import { isMeasured } from "../fuzz/cpu.js";
import { type Counted, soak } from "./run.js";
import { summaryText, warmSamples } from "./summary.js";

const rowsSchema = z.array(z.array(z.string()));
const ROWS =
  "[...document.querySelectorAll('#calls tr')].map((row) => [...row.cells].map((cell) => cell.textContent))";

/** The page of the server shows its counts and plots. */
async function lookAtPage(url: string, { completed, failed, cancelled }: Counted): Promise<void> {
  const page = await BrowserPage.open(BROWSER ?? expect.fail());
  await page.show(new URL("/", url).href);
  const rowsOfPage = () => page.evaluate(ROWS, rowsSchema);
  await expect.poll(rowsOfPage).not.toEqual([]);
  const rows = await rowsOfPage();
  const html = await page.html();
  await page.show("about:blank");

  const counts = rows
    .filter(([call]) => call === "complete")
    .map((row) => row.slice(2, 5).map(Number));
  const sums = [0, 1, 2].map((at) => counts.reduce((sum, each) => sum + (each[at] ?? 0), 0));
  expect(sums).toEqual([completed, failed, cancelled]);
  expect(page.complaints).toEqual([]);
  // Each line has a value for at least three samples of ten seconds.
  const lines = [...html.matchAll(/<path d="([^"]*)"/g)].map(([, path = ""]) => path);
  expect(lines.length).toBeGreaterThanOrEqual(4);
  expect(
    lines.filter((path) => (path.match(/[ML]/g) ?? []).length >= 3).length,
  ).toBeGreaterThanOrEqual(4);
}

/** Above the difference between two garbage collections. */
const MAY_GROW_MB = 12;

// What a process holds is read from /proc.
test.skipIf(!isMeasured)(
  "forty seconds of faults, restarts and cancels leave nothing behind",
  async () => {
    const summary = await soak({
      seconds: 40,
      seed: 14,
      callers: 8,
      look: BROWSER === undefined ? undefined : lookAtPage,
    });
    process.stdout.write(`${summaryText(summary)}\n`);
    expect(summary.faults).toEqual([]);
    for (const { ledger, samples } of summary.servers) {
      expect(ledger.sent).toBe(ledger.answered + ledger.cancelled);
      const [first, ...others] = warmSamples(samples);
      expect((others.at(-1)?.heapMb ?? 0) - (first?.heapMb ?? 0)).toBeLessThan(MAY_GROW_MB);
    }
  },
);
