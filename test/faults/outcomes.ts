import { readFileSync } from "node:fs";
import * as z from "zod";

/** The outcome of each cell, as the last run with `WRITE_FAULTS=1` found it. docs/faults.md has the same. */
export const OUTCOMES_FILE = new URL("outcomes.json", import.meta.url);

const recorded = z.record(z.string(), z.string());

export const recordedOutcomes = (): Readonly<Record<string, string>> =>
  recorded.parse(JSON.parse(readFileSync(OUTCOMES_FILE, "utf8")));

const DIALECTS = ["S", "C1", "C2", "openai"] as const;

/** For each operation the rows of its table: the fault, and the outcome of each dialect. */
export function outcomeTables(): ReadonlyMap<string, readonly (readonly string[])[]> {
  const rows = new Map<string, Map<string, Map<string, string>>>();
  for (const [name, words] of Object.entries(recordedOutcomes())) {
    const [dialect = "", operation = "", fault = ""] = name.split(" | ");
    const faults = rows.get(operation) ?? new Map<string, Map<string, string>>();
    const outcomes = faults.get(fault) ?? new Map<string, string>();
    outcomes.set(dialect, words);
    faults.set(fault, outcomes);
    rows.set(operation, faults);
  }
  const tables = new Map<string, readonly (readonly string[])[]>();
  for (const [operation, faults] of rows) {
    tables.set(
      operation,
      [...faults].map(([fault, outcomes]) => [
        fault,
        ...DIALECTS.map((dialect) => outcomes.get(dialect) ?? ""),
      ]),
    );
  }
  return tables;
}
