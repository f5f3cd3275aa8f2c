import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CallScope } from "../../src/http/call-scope.js";
import { type Attempt, isRetried, pauseMs, withRetries } from "../../src/http/resilience.js";
import { cancelledError, type ErrorCode, FoundryError } from "../../src/lib/errors.js";

function failure(code: ErrorCode, options: Partial<FoundryError> = {}): FoundryError {
  const { retryable = true, phase, retryAfterMs } = options;
  return new FoundryError(code, "no", {
    action: "none",
    retryable,
    ...(phase ? { phase } : {}),
    ...(retryAfterMs ? { retryAfterMs } : {}),
  });
}

type State = Pick<Attempt, "method" | "isStream" | "status">;
const GET: State = { method: "GET", isStream: false, status: null };
const POST: State = { ...GET, method: "POST" };
const STREAM: State = { ...POST, isStream: true };

describe("retries", () => {
  it.each([GET, POST, STREAM])("follow any failure without a byte of an answer (%j)", (state) => {
    expect(isRetried(failure("SERVICE_UNREACHABLE"), state)).toBe(true);
    const hopeless = failure("SERVICE_UNREACHABLE", { retryable: false });
    expect(isRetried(hopeless, state)).toBe(false);
  });

  it.each([408, 429, 502, 503, 504, 529, 500])("follow an answer with %i", (status) => {
    const error = failure("SERVICE_ERROR");
    for (const state of [GET, POST, STREAM]) {
      expect(isRetried(error, { ...state, status })).toBe(true);
    }
  });

  it("do not follow a failure that the dialect marks as final, whatever the status", () => {
    for (const code of ["CONTEXT_LENGTH_EXCEEDED", "LOAD_FAILED", "INVALID_REQUEST"] as const) {
      for (const status of [500, 503]) {
        expect(isRetried(failure(code, { retryable: false }), { ...STREAM, status })).toBe(false);
        expect(isRetried(failure(code, { retryable: false }), { ...GET, status })).toBe(false);
      }
    }
  });

  it.each([301, 400, 401, 404, 409, 422, 501, 507])("do not follow an answer with %i", (status) => {
    expect(isRetried(failure("SERVICE_ERROR"), { ...GET, status })).toBe(false);
  });

  it("follow a connect timeout, since nothing was sent", () => {
    const error = failure("TIMEOUT", { phase: "connect" });
    for (const state of [GET, POST, STREAM]) expect(isRetried(error, state)).toBe(true);
  });

  it("follow a GET without an answer in time, and never a POST", () => {
    const error = failure("TIMEOUT", { phase: "first_byte" });
    expect(isRetried(error, GET)).toBe(true);
    expect(isRetried(error, POST)).toBe(false);
    expect(isRetried(error, { ...STREAM, status: 200 })).toBe(false);
  });

  it("do not follow a stall or a timeout of the whole call", () => {
    for (const phase of ["silence", "whole"] as const) {
      for (const state of [GET, POST, STREAM]) {
        expect(isRetried(failure("TIMEOUT", { phase }), { ...state, status: 200 })).toBe(false);
      }
    }
  });

  it("follow a GET whose answer broke off, and never a POST or a stream", () => {
    const error = failure("SERVICE_UNREACHABLE");
    for (const status of [200, 404]) {
      expect(isRetried(error, { ...GET, status })).toBe(true);
      expect(isRetried(error, { ...POST, status })).toBe(false);
    }
    expect(isRetried(failure("STREAM_INTERRUPTED"), { ...STREAM, status: 200 })).toBe(false);
  });

  it("follow a stream whose first event is a retryable error", () => {
    const error = failure("INFERENCE_FAILED");
    expect(isRetried(error, { ...STREAM, status: 200 })).toBe(true);
  });

  it("do not follow a call that the caller, close() or the circuit ended", () => {
    for (const code of ["CANCELLED", "CLIENT_CLOSED", "CIRCUIT_OPEN"] as const) {
      expect(isRetried(failure(code), GET)).toBe(false);
    }
  });
});

describe("the pause before a retry", () => {
  const options = { initialPauseMs: 100, maxPauseMs: 1000 };

  it("has full jitter over a bound that doubles up to the maximum", () => {
    const bounds = [1, 2, 3, 4, 5, 6].map((retry) => pauseMs(retry, null, options, () => 1));
    expect(bounds).toEqual([100, 200, 400, 800, 1000, 1000]);
    expect(pauseMs(3, null, options, () => 0)).toBe(0);
    expect(pauseMs(3, null, options, () => 0.5)).toBe(200);
  });

  it("is the service's Retry-After, to the millisecond, up to the maximum", () => {
    expect(pauseMs(1, 0, options, () => 1)).toBe(0);
    expect(pauseMs(1, 700, options, () => 0)).toBe(700);
    expect(pauseMs(1, 60_000, options, () => 0)).toBe(1000);
  });

  it("is 200 ms at first and 10 s at most where nothing is set", () => {
    expect(pauseMs(1, null, {}, () => 1)).toBe(200);
    expect(pauseMs(20, null, {}, () => 1)).toBe(10_000);
    expect(pauseMs(1, 3_600_000, {}, () => 1)).toBe(10_000);
  });
});

describe("a call with retries", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function setup(signal?: AbortSignal) {
    const open = new Set<CallScope>();
    const scope = new CallScope(signal, open);
    const call = { method: "GET" as const, isStream: false, retry: true, scope };
    return { scope, call };
  }

  it("is retried until it succeeds, and reports the number of attempts", async () => {
    const { call } = setup();
    const result = withRetries(call, { retries: 3 }, async ({ number }) => {
      if (number < 3) throw failure("SERVICE_UNREACHABLE");
      return number;
    });
    await vi.runAllTimersAsync();
    expect(await result).toBe(3);
  });

  it("fails after the retries, with the last error and the number of attempts", async () => {
    const { call } = setup();
    const attempt = vi.fn(async ({ number }: Attempt) => {
      throw Object.assign(failure("SERVICE_UNREACHABLE"), { message: `attempt ${number}` });
    });
    const result = withRetries(call, { retries: 2 }, attempt);
    const told = expect(result).rejects.toMatchObject({ message: "attempt 3", attempts: 3 });
    await vi.runAllTimersAsync();
    await told;
    expect(attempt).toHaveBeenCalledTimes(3);
  });

  it("is retried three times by default, and not at all with `retry: false`", async () => {
    const { call } = setup();
    const attempt = vi.fn(async () => {
      throw failure("SERVICE_UNREACHABLE");
    });
    const first = expect(withRetries(call, {}, attempt)).rejects.toMatchObject({ attempts: 4 });
    await vi.runAllTimersAsync();
    await first;
    const once = withRetries({ ...call, retry: false }, {}, attempt);
    await expect(once).rejects.toMatchObject({ attempts: 1 });
    expect(attempt).toHaveBeenCalledTimes(5);
  });

  it("waits exactly as long as the service requested", async () => {
    const { call } = setup();
    const attempt = vi.fn(async (state: Attempt) => {
      if (state.number === 2) return "done";
      state.status = 503;
      state.retryAfterMs = 3000;
      throw failure("SERVICE_BUSY");
    });
    const result = withRetries(call, {}, attempt);
    await vi.advanceTimersByTimeAsync(2999);
    expect(attempt).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await result).toBe("done");
  });

  it("waits for a pause that only the error contains", async () => {
    const { call } = setup();
    const attempt = vi.fn(async ({ number }: Attempt) => {
      if (number === 1) throw failure("SERVICE_UNREACHABLE", { retryAfterMs: 900 });
    });
    const result = withRetries(call, {}, attempt);
    await vi.advanceTimersByTimeAsync(899);
    expect(attempt).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    await result;
    expect(attempt).toHaveBeenCalledTimes(2);
  });

  it("ends at once when the caller aborts during the pause, and leaves no timer", async () => {
    const caller = new AbortController();
    const { call } = setup(caller.signal);
    const attempt = vi.fn(async (state: Attempt) => {
      state.retryAfterMs = 10_000;
      throw failure("SERVICE_UNREACHABLE");
    });
    const result = withRetries(call, {}, attempt);
    const told = expect(result).rejects.toMatchObject({ code: "CANCELLED", attempts: 1 });
    await vi.advanceTimersByTimeAsync(50);
    caller.abort();
    await told;
    expect(vi.getTimerCount()).toBe(0);
    expect(attempt).toHaveBeenCalledTimes(1);
  });

  it("reports the number of attempts when aborted during the pause", async () => {
    const caller = new AbortController();
    const { call } = setup(caller.signal);
    const result = withRetries(call, { initialPauseMs: 0 }, async (state) => {
      if (state.number === 2) state.retryAfterMs = 5000;
      throw failure("SERVICE_UNREACHABLE");
    });
    const told = expect(result).rejects.toMatchObject({ code: "CANCELLED", attempts: 2 });
    await vi.advanceTimersByTimeAsync(100);
    caller.abort();
    await told;
  });

  it("fails with the original error when the circuit opens between two attempts", async () => {
    const { call } = setup();
    const result = withRetries(call, { retries: 5 }, async ({ number }) => {
      throw failure(number < 3 ? "SERVICE_UNREACHABLE" : "CIRCUIT_OPEN");
    });
    const told = expect(result).rejects.toMatchObject({
      code: "SERVICE_UNREACHABLE",
      attempts: 2,
    });
    await vi.runAllTimersAsync();
    await told;
  });

  it("fails with CIRCUIT_OPEN for a followed endpoint that other calls found gone", async () => {
    const { call } = setup();
    const followed = { ...call, retriesRefusals: false };
    const result = withRetries(followed, { retries: 5 }, async ({ number }) => {
      throw failure(number < 3 ? "SERVICE_UNREACHABLE" : "CIRCUIT_OPEN");
    });
    const told = expect(result).rejects.toMatchObject({ code: "CIRCUIT_OPEN", attempts: 2 });
    await vi.runAllTimersAsync();
    await told;
  });

  it("fails with the service's own answer also for a followed endpoint", async () => {
    const { call } = setup();
    const followed = { ...call, retriesRefusals: false };
    const result = withRetries(followed, { retries: 5 }, async (attempt) => {
      if (attempt.number > 2) throw failure("CIRCUIT_OPEN");
      attempt.status = 503;
      throw failure("SERVICE_BUSY");
    });
    const told = expect(result).rejects.toMatchObject({ code: "SERVICE_BUSY", attempts: 2 });
    await vi.runAllTimersAsync();
    await told;
  });

  it("reports no attempts when the circuit is open", async () => {
    const { call } = setup();
    const result = withRetries(call, {}, async () => {
      throw failure("CIRCUIT_OPEN");
    });
    await expect(result).rejects.toMatchObject({ code: "CIRCUIT_OPEN", attempts: 0 });
  });

  it("turns any other exception into an INTERNAL error, without a retry", async () => {
    const { call } = setup();
    const result = withRetries(call, {}, async () => {
      throw new TypeError("x is not a function");
    });
    await expect(result).rejects.toMatchObject({ code: "INTERNAL", attempts: 1 });
  });
});

describe("the scope of a call", () => {
  it("is ended by the first cause, and keeps it", () => {
    const caller = new AbortController();
    const scope = new CallScope(caller.signal, new Set());
    const heard = vi.fn();
    scope.onEnd(heard);
    caller.abort();
    scope.end(failure("CLIENT_CLOSED"));
    expect(heard).toHaveBeenCalledTimes(1);
    expect(scope.endedBy?.code).toBe("CANCELLED");
  });

  it("sees an abort after its release, without a listener", () => {
    const caller = new AbortController();
    const scope = new CallScope(caller.signal, new Set());
    scope.dispose();
    caller.abort();
    expect(scope.endedBy).toMatchObject({ code: cancelledError().code });
  });
});
