import { describe, expect, it } from "vitest";
import { untilAborted } from "../../src/lib/async.js";

describe("untilAborted", () => {
  it("returns the result of the work", async () => {
    const { signal } = new AbortController();
    expect(await untilAborted(Promise.resolve(7), signal)).toBe(7);
    expect(await untilAborted(Promise.resolve(8), undefined)).toBe(8);
  });

  it("rejects with the error of the work", async () => {
    const { signal } = new AbortController();
    await expect(untilAborted(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
  });

  it("stops waiting when it is aborted, while the work continues", async () => {
    let resolve: (value: number) => void = () => {};
    const promise = new Promise<number>((done) => {
      resolve = done;
    });
    const controller = new AbortController();
    const waiting = untilAborted(promise, controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "CANCELLED" });
    resolve(7);
    expect(await promise).toBe(7);
  });

  it("does not wait after an earlier abort, and handles the rejection of the work", async () => {
    const work = Promise.reject(new Error("an ignored rejection"));
    // An unhandled rejection would fail the whole run.
    await expect(untilAborted(work, AbortSignal.abort())).rejects.toMatchObject({
      code: "CANCELLED",
    });
  });
});
