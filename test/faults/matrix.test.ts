import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { cellsOf, nameOf, outcomesLike, outcomesOf } from "./cells.js";
import { OUTCOMES_FILE, recordedOutcomes } from "./outcomes.js";

it.each(["S", "C1", "C2", "openai"] as const)(
  "%s: every fault of every operation has the outcome of docs/faults.md",
  async (dialect) => {
    const cells = cellsOf(dialect);
    const before = recordedOutcomes();
    const isWriting = process.env["WRITE_FAULTS"] === "1";
    const found = await (isWriting ? outcomesOf(cells) : outcomesLike(before, cells));
    const ordered = cells.map((cell) => [nameOf(cell), found.get(nameOf(cell))] as const);
    if (isWriting) {
      const all = { ...before, ...Object.fromEntries(ordered) };
      writeFileSync(OUTCOMES_FILE, `${JSON.stringify(all, null, 2)}\n`);
      return;
    }
    expect(Object.fromEntries(found)).toEqual(
      Object.fromEntries(cells.map((cell) => [nameOf(cell), before[nameOf(cell)]])),
    );
  },
  280_000,
);
