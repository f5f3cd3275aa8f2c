import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Circuit, type Watched } from "../../src/http/resilience.js";
import { cancelledError, FoundryError } from "../../src/lib/errors.js";
import { silentLogger } from "../../src/log.js";

const URL = "http://127.0.0.1:5273";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const unreachable = () =>
  new FoundryError("SERVICE_UNREACHABLE", "Nothing listens.", { action: "", retryable: true });
const timeout = (phase: "connect" | "first_byte") =>
  new FoundryError("TIMEOUT", "late", { action: "", phase });

const answering = (status: number) => (): Watched => ({
  sent: Promise.resolve(),
  head: Promise.resolve({ status }),
});

const failing = (error: FoundryError) => (): Watched => {
  const head = Promise.reject(error);
  head.catch(() => {});
  return { sent: new Promise(() => {}), head };
};

/** A request whose outcome the test decides. */
function pending({ isSent }: { isSent: boolean }) {
  let answer: (status: number) => void = () => {};
  let fail: (error: FoundryError) => void = () => {};
  const head = new Promise<{ status: number }>((resolve, reject) => {
    answer = (status) => resolve({ status });
    fail = reject;
  });
  head.catch(() => {});
  const sent = isSent ? Promise.resolve() : new Promise<void>(() => {});
  return { send: () => ({ sent, head }), answer, fail };
}

async function open(circuit: Circuit, times = 5): Promise<void> {
  for (let i = 0; i < times; i += 1) await fail(circuit, unreachable());
}

const fail = (circuit: Circuit, error: FoundryError): Promise<void> =>
  expect(circuit.pass(failing(error))).rejects.toBe(error);

const loopback = (options = {}) => new Circuit(URL, true, options);

describe("the circuit", () => {
  it("logs that it opens, once however many probes fail, and that it closes", async () => {
    const lines: string[] = [];
    const warn = (_fields: object, message: string): void => void lines.push(message);
    const circuit = new Circuit(URL, true, {}, { ...silentLogger, warn });
    await open(circuit);
    for (let probe = 0; probe < 3; probe += 1) {
      vi.advanceTimersByTime(500);
      await fail(circuit, unreachable());
    }
    vi.advanceTimersByTime(500);
    await circuit.pass(answering(200));
    expect(lines).toEqual(["circuit opened", "circuit closed"]);
  });

  it("opens after five failures in a row, not after four", async () => {
    const circuit = loopback();
    await open(circuit, 4);
    expect(circuit.state).toBe("closed");
    expect(circuit.nextProbeInMs).toBeNull();
    await open(circuit, 1);
    expect(circuit.state).toBe("open");
    expect(circuit.nextProbeInMs).toBe(500);
  });

  it.each([200, 301, 400, 404, 408, 429, 500, 501])(
    "resets its count of failures after an answer with %i",
    async (status) => {
      const circuit = loopback({ failures: 2 });
      await open(circuit, 1);
      await circuit.pass(answering(status));
      await open(circuit, 1);
      expect(circuit.state).toBe("closed");
      await open(circuit, 1);
      expect(circuit.state).toBe("open");
    },
  );

  it.each([502, 503, 504])("counts a gateway's %i as a failure", async (status) => {
    const circuit = loopback({ failures: 2 });
    await circuit.pass(answering(status));
    await circuit.pass(answering(status));
    expect(circuit.state).toBe("open");
  });

  it("counts a connect timeout as a failure, but not a late answer", async () => {
    const circuit = loopback({ failures: 1 });
    await fail(circuit, timeout("first_byte"));
    expect(circuit.state).toBe("closed");
    await fail(circuit, timeout("connect"));
    expect(circuit.state).toBe("open");
  });

  it("counts a cancelled call neither as a failure nor as a success", async () => {
    const circuit = loopback({ failures: 2 });
    await open(circuit, 1);
    const cancelled = circuit.pass(failing(cancelledError()));
    await expect(cancelled).rejects.toMatchObject({ code: "CANCELLED" });
    expect(circuit.state).toBe("closed");
    await open(circuit, 1);
    expect(circuit.state).toBe("open");
  });

  it("fails calls at once while open, with the time of the next probe and the reason", async () => {
    const circuit = loopback();
    await open(circuit);
    await vi.advanceTimersByTimeAsync(120);
    const send = vi.fn(answering(200));
    await expect(circuit.pass(send)).rejects.toMatchObject({
      code: "CIRCUIT_OPEN",
      message: `${URL} failed repeatedly; it is asked again in 380 ms. Last time: Nothing listens.`,
      retryable: true,
      retryAfterMs: 380,
    });
    expect(send).not.toHaveBeenCalled();
  });

  it("sends one request when the probe is due, and closes with its answer", async () => {
    const circuit = loopback();
    await open(circuit);
    await vi.advanceTimersByTimeAsync(499);
    await expect(circuit.pass(answering(200))).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    await vi.advanceTimersByTimeAsync(1);
    expect(circuit.nextProbeInMs).toBe(0);
    await circuit.pass(answering(404));
    expect(circuit.state).toBe("closed");
    expect(circuit.nextProbeInMs).toBeNull();
  });

  it("refuses other calls while the probe is in flight", async () => {
    const circuit = loopback();
    await open(circuit);
    await vi.advanceTimersByTimeAsync(500);
    const probe = pending({ isSent: false });
    const passed = circuit.pass(probe.send);
    expect(circuit.state).toBe("half-open");
    const send = vi.fn(answering(200));
    const others = await Promise.allSettled([circuit.pass(send), circuit.pass(send)]);
    expect(others.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await expect(circuit.pass(send)).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    expect(send).not.toHaveBeenCalled();
    probe.answer(200);
    await passed;
    expect(circuit.state).toBe("closed");
  });

  it("opens again when the probe fails, on loopback for as long as before", async () => {
    const circuit = loopback();
    await open(circuit);
    for (let i = 0; i < 4; i += 1) {
      await vi.advanceTimersByTimeAsync(500);
      await open(circuit, 1);
      expect(circuit.state).toBe("open");
      expect(circuit.nextProbeInMs).toBe(500);
    }
  });

  it("waits twice as long after each failed probe elsewhere, up to 30 s", async () => {
    const circuit = new Circuit("http://far.example", false);
    await open(circuit);
    const waits: number[] = [];
    for (let i = 0; i < 7; i += 1) {
      const wait = circuit.nextProbeInMs ?? -1;
      waits.push(wait);
      await vi.advanceTimersByTimeAsync(wait);
      await open(circuit, 1);
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    await vi.advanceTimersByTimeAsync(30_000);
    await circuit.pass(answering(200));
    await open(circuit);
    expect(circuit.nextProbeInMs).toBe(1000);
  });

  it("stays open, but not stuck, when the caller cancels the probe", async () => {
    const circuit = loopback();
    await open(circuit);
    await vi.advanceTimersByTimeAsync(500);
    const probe = pending({ isSent: true });
    const passed = circuit.pass(probe.send);
    probe.fail(cancelledError());
    await expect(passed).rejects.toMatchObject({ code: "CANCELLED" });
    expect(circuit.state).toBe("open");
    await vi.advanceTimersByTimeAsync(500);
    await circuit.pass(answering(200));
    expect(circuit.state).toBe("closed");
  });

  it("closes before the probe's answer if the endpoint keeps the request for a while", async () => {
    const circuit = loopback();
    await open(circuit);
    await vi.advanceTimersByTimeAsync(500);
    const passed = circuit.pass(pending({ isSent: true }).send);
    await vi.advanceTimersByTimeAsync(499);
    expect(circuit.state).toBe("half-open");
    await vi.advanceTimersByTimeAsync(1);
    await passed;
    expect(circuit.state).toBe("closed");
  });

  it("does not count a failed connection as a success", async () => {
    const circuit = loopback();
    await open(circuit);
    await vi.advanceTimersByTimeAsync(500);
    const probe = pending({ isSent: false });
    const passed = circuit.pass(probe.send);
    await vi.advanceTimersByTimeAsync(5000);
    expect(circuit.state).toBe("half-open");
    probe.fail(timeout("connect"));
    await expect(passed).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(circuit.state).toBe("open");
  });

  it("is not held open by a system clock that is set back", async () => {
    const circuit = loopback();
    await open(circuit);
    vi.setSystemTime(Date.now() - 3_600_000);
    await vi.advanceTimersByTimeAsync(500);
    await circuit.pass(answering(200));
    expect(circuit.state).toBe("closed");
  });

  it("ignores requests that were sent before it opened", async () => {
    const circuit = loopback();
    const [early, late] = [pending({ isSent: true }), pending({ isSent: true })];
    const answered = circuit.pass(early.send);
    const failed = circuit.pass(late.send);
    await open(circuit);
    early.answer(200);
    await answered;
    expect(circuit.state).toBe("open");
    await vi.advanceTimersByTimeAsync(500);
    const probe = pending({ isSent: false });
    const passed = circuit.pass(probe.send);
    late.fail(unreachable());
    await expect(failed).rejects.toMatchObject({ code: "SERVICE_UNREACHABLE" });
    expect(circuit.state).toBe("half-open");
    probe.answer(200);
    await passed;
    expect(circuit.state).toBe("closed");
  });

  it("leaves no timer behind", async () => {
    const circuit = loopback();
    await open(circuit);
    await vi.advanceTimersByTimeAsync(500);
    await circuit.pass(answering(200));
    expect(vi.getTimerCount()).toBe(0);
  });
});
