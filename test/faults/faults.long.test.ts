import { describe, expect, it } from "vitest";
import { type Cell, cellsOf, nameOf, outcomesLike, RETRIES } from "./cells.js";
import { recordedOutcomes } from "./outcomes.js";

/** These faults end in moments, even on a busy machine. */
const SAMPLE: ReadonlySet<string> = new Set([
  "connection refused",
  "reset before the headers",
  "reset inside the body",
  "endless headers",
  "compressed bomb",
  "status 429, `Retry-After: 3600`",
  "status 503",
  "closed between events",
]);

const inSample = ({ dialect, operation, fault }: Cell): boolean =>
  SAMPLE.has(fault.name) && (dialect === "C2" || operation.name.startsWith("chat"));

describe("faults between the client and a service", () => {
  it("have the recorded outcomes in a sample", async () => {
    const cells = (["S", "C1", "C2", "openai"] as const).flatMap(cellsOf).filter(inSample);
    const recorded = recordedOutcomes();
    const found = await outcomesLike(recorded, cells);
    expect(Object.fromEntries(found)).toEqual(
      Object.fromEntries(cells.map((cell) => [nameOf(cell), recorded[nameOf(cell)]])),
    );
  });
});

// These tests check only the recorded outcomes. The sample above, and matrix.test.ts with all cells, check the record itself.
describe("the recorded outcomes", () => {
  const outcomes = Object.entries(recordedOutcomes());
  const requestsOf = (words: string): number => Number(/×(\d+)$/.exec(words)?.[1]);

  it("cover all cells, and none is an INTERNAL error", () => {
    const cells = (["S", "C1", "C2", "openai"] as const).flatMap(cellsOf).map(nameOf);
    expect(outcomes.map(([name]) => name).sort()).toEqual(cells.sort());
    expect(outcomes.filter(([, words]) => /INTERNAL|undefined/.test(words))).toEqual([]);
  });

  it("never send a request again after its first token, and keep its text", () => {
    const late = outcomes.filter(([name]) => name.includes("| chat after the first token |"));
    expect(late).not.toEqual([]);
    for (const [name, words] of late) {
      expect(words, name).toMatch(/^`(?:STREAM_INTERRUPTED|TIMEOUT)`, interrupted, text kept ×1$/);
    }
  });

  it("send no request again before a long `Retry-After` is over", () => {
    const long = outcomes.filter(([name]) => name.endsWith("`Retry-After: 3600`"));
    expect(long).not.toEqual([]);
    for (const [name, words] of long) expect(requestsOf(words), name).toBe(1);
  });

  it("find a service that has moved to another port, and lose nothing", () => {
    const moved = outcomes.filter(([name]) => /^(?:S|C1|C2) .*moved to another port$/.test(name));
    expect(moved).not.toEqual([]);
    for (const [name, words] of moved) expect(words, name).toMatch(/^ok/);
  });

  it("send a chat at most as often as retries allow", () => {
    const chats = outcomes.filter(([name]) => /\| (?:chat|tool calls) \|/.test(name));
    expect(chats).not.toEqual([]);
    for (const [name, words] of chats) {
      expect(requestsOf(words), name).toBeLessThanOrEqual(1 + RETRIES);
    }
  });
});
