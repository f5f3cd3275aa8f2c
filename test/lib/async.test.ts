import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { onAbort, untilAborted } from "../../src/lib/async.js";

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

describe("onAbort", () => {
  it("calls each listener once, in order, and none that was taken away", () => {
    const controller = new AbortController();
    const calls: string[] = [];
    const twice = () => void calls.push("twice");
    onAbort(controller.signal, twice);
    onAbort(controller.signal, twice);
    const stopListening = onAbort(controller.signal, () => void calls.push("taken away"));
    onAbort(controller.signal, () => void calls.push("last"));
    stopListening();
    controller.abort();
    expect(calls).toEqual(["twice", "twice", "last"]);
  });

  it("does not call a listener that an earlier one has taken away", () => {
    const controller = new AbortController();
    const calls: string[] = [];
    let stopListening = () => {};
    onAbort(controller.signal, () => stopListening());
    stopListening = onAbort(controller.signal, () => void calls.push("taken away"));
    controller.abort();
    expect(calls).toEqual([]);
  });

  it("takes any number of listeners without a warning", async () => {
    const warnings: Error[] = [];
    const keep = (warning: Error) => void warnings.push(warning);
    process.on("warning", keep);
    const { signal } = new AbortController();
    for (let count = 0; count < 100; count += 1) onAbort(signal, () => {});
    await setImmediate();
    process.off("warning", keep);
    expect(warnings).toEqual([]);
  });

  it("takes a signal that is not Node's, as tests for a browser have them", () => {
    const listeners = new Set<() => void>();
    const signal = Object.create(null, {
      addEventListener: { value: (_type: string, each: () => void) => listeners.add(each) },
      removeEventListener: { value: (_type: string, each: () => void) => listeners.delete(each) },
    });
    const stopListening = onAbort(signal, () => {});
    expect(listeners.size).toBe(1);
    stopListening();
    expect(listeners.size).toBe(0);
  });
});
