import { describe, expect, it } from "vitest";
import {
  abortedError,
  cancelledError,
  ERROR_CODES,
  FoundryError,
  isAbortOf,
  toFoundryError,
} from "../../src/lib/errors.js";

describe("FoundryError", () => {
  it("has the given values", () => {
    const cause = new Error("inner");
    const error = new FoundryError("TIMEOUT", "It took too long.", {
      action: "Wait.",
      retryable: true,
      status: 504,
      retryAfterMs: 100,
      phase: "silence",
      detail: "native",
      cause,
    });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "FoundryError",
      code: "TIMEOUT",
      message: "It took too long.",
      action: "Wait.",
      retryable: true,
      status: 504,
      retryAfterMs: 100,
      phase: "silence",
      detail: "native",
      attempts: 1,
      cause,
    });
  });

  it("limits the length of its texts, but not of the detail", () => {
    const text = "🌍".repeat(100_000);
    const error = new FoundryError("INTERNAL", text, { action: text, detail: text });
    expect(error.message.length + error.action.length).toBeLessThanOrEqual(2000);
    expect(error.message.isWellFormed()).toBe(true);
    expect(error.detail).toBe(text);
  });

  it("has a JSON form with its texts and values, without detail, cause and stack", () => {
    const error = new FoundryError("SERVICE_BUSY", "It is busy.", {
      action: "Wait.",
      retryable: true,
      status: 429,
      retryAfterMs: 100,
      detail: "/home/ann/models",
      cause: new Error("Bearer s3cret"),
    });
    error.requestId = "req-1";
    expect(JSON.parse(JSON.stringify({ error }))).toEqual({
      error: {
        name: "FoundryError",
        code: "SERVICE_BUSY",
        message: "It is busy.",
        action: "Wait.",
        retryable: true,
        status: 429,
        retryAfterMs: 100,
        phase: null,
        attempts: 1,
        requestId: "req-1",
      },
    });
  });

  it("keeps everything but its texts when it is reworded", () => {
    const error = new FoundryError("TIMEOUT", "x", { action: "y", status: 504, phase: "whole" });
    error.attempts = 3;
    error.neverSent = true;
    const reworded = error.reworded({ message: "A model was not loaded.", retryable: true });
    expect(reworded).toMatchObject({
      code: "TIMEOUT",
      message: "A model was not loaded.",
      action: "y",
      retryable: true,
      status: 504,
      phase: "whole",
      attempts: 3,
      neverSent: true,
      cause: error,
    });
  });

  it("has no values that were not given", () => {
    const error = new FoundryError("INTERNAL", "x", { action: "y" });
    expect(error).toMatchObject({
      retryable: false,
      status: null,
      retryAfterMs: null,
      phase: null,
      detail: null,
    });
    expect("cause" in error).toBe(false);
  });
});

describe("toFoundryError", () => {
  it("returns a FoundryError unchanged", () => {
    const error = cancelledError();
    expect(toFoundryError(error)).toBe(error);
  });

  it("turns anything else into INTERNAL, with its message for the log", () => {
    const thrown = new TypeError("cannot read secret.txt");
    const error = toFoundryError(thrown);
    expect(error).toMatchObject({ code: "INTERNAL", retryable: false, cause: thrown });
    expect(error.message + error.action).not.toContain("secret");
    expect(error.detail).toContain("TypeError: cannot read secret.txt");
  });

  it.each([
    ["a text", "boom", "boom"],
    ["undefined", undefined, "undefined"],
    ["null", null, "null"],
  ])("accepts %s in place of a thrown Error", (_what, thrown, detail) => {
    expect(toFoundryError(thrown)).toMatchObject({ code: "INTERNAL", detail });
  });
});

describe("cancelledError", () => {
  it("is not retryable, and warns that the device may be busy", () => {
    expect(cancelledError()).toMatchObject({
      code: "CANCELLED",
      retryable: false,
      action: expect.stringContaining("busy"),
    });
  });
});

describe("abortedError", () => {
  const aborted = (reason: unknown) => abortedError(AbortSignal.abort(reason));

  it.each([
    ["a time limit", new DOMException("late", "TimeoutError"), "TIMEOUT"],
    ["a time limit of another realm", { name: "TimeoutError" }, "TIMEOUT"],
    ["the default reason", new DOMException("aborted", "AbortError"), "CANCELLED"],
    ["an error", new Error("The window was closed."), "CANCELLED"],
    ["a text", "TimeoutError", "CANCELLED"],
    ["null", null, "CANCELLED"],
  ])("of %s has its code and its cause", (_what, reason, code) => {
    expect(aborted(reason)).toMatchObject({ code, cause: reason });
  });

  it("keeps the advice about what continues", () => {
    const action = "Nothing to do. The service may go on with the download by itself.";
    const cancelled = new FoundryError("CANCELLED", "The call was cancelled.", { action });
    const late = AbortSignal.abort(new DOMException("late", "TimeoutError"));
    expect(abortedError(AbortSignal.abort(), cancelled)).toMatchObject({ action });
    expect(abortedError(late, cancelled).action).toBe(
      "Give the call more time. The service may go on with the download by itself.",
    );
  });
});

describe("ERROR_CODES", () => {
  it("has a description of each code", () => {
    for (const [code, meaning] of Object.entries(ERROR_CODES)) {
      expect(code).toMatch(/^[A-Z_]+$/);
      expect(meaning.length).toBeGreaterThan(10);
    }
  });
});

it("tells what an abort causes from a failure that merely comes after it", () => {
  const ending = new AbortController();
  const { signal } = ending;
  expect(isAbortOf(signal, cancelledError())).toBe(false);
  ending.abort();
  expect(isAbortOf(signal, cancelledError())).toBe(true);
  expect(isAbortOf(signal, signal.reason)).toBe(true);
  expect(isAbortOf(signal, new TypeError("a defect"))).toBe(false);
  expect(isAbortOf(signal, new FoundryError("INTERNAL", "A defect.", { action: "" }))).toBe(false);
});
