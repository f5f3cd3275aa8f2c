import { describe, expect, it } from "vitest";
import { withinTime } from "../../src/lib/within-time.js";

/** Waits in the main thread without any CPU time, as on a busy machine. */
const starve = (ms: number): void => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
};

describe("work within a time", () => {
  it("is started again with more time where the machine was too busy", () => {
    let begun = 0;
    const found = withinTime(1000, () => {
      begun += 1;
      starve(1500);
      return "done";
    });
    expect(found).toEqual({ value: "done" });
    expect(begun).toBeGreaterThan(1);
  });

  it("is ended where it takes too long, also in a regular expression", () => {
    expect(withinTime(100, () => /^(a+)+$/.test(`${"a".repeat(50)}b`))).toBeNull();
  });

  it("may start other work, and continues after work that was ended", () => {
    const inner = () => withinTime(100, () => /^(a+)+$/.test(`${"a".repeat(50)}b`));
    const work = () => [inner(), withinTime(1000, () => 2), inner()];
    expect(withinTime(10_000, work)).toEqual({ value: [null, { value: 2 }, null] });
  });

  it("that throws throws its own error", () => {
    const work = (): never => {
      throw new RangeError("mine");
    };
    expect(() => withinTime(1000, work)).toThrow(new RangeError("mine"));
  });
});
