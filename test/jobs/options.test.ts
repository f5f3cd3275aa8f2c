import { describe, expect, it } from "vitest";
import { FoundryClient } from "../../src/jobs/index.js";
import { FoundryError } from "../../src/lib/errors.js";

/** The error that a call throws or rejects with. */
async function failureOf(call: () => unknown): Promise<FoundryError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof FoundryError) return error;
    throw error;
  }
  throw new Error("It did not fail.");
}

/** A caller without types. */
const untyped = (value: unknown) => JSON.parse(JSON.stringify({ value })).value;
const construct = (options: object) => failureOf(() => new FoundryClient(options));

const MS = (min: number, max: number) => `a number of milliseconds from ${min} to ${max}`;
const URL_ALLOWED = /^Give endpoint as allowed: a URL such as http/;

describe("the options of a client", () => {
  it.each([
    ["concurrency", 0, "a whole number from 1 to 64, or auto"],
    ["concurrency", -1, "a whole number from 1 to 64, or auto"],
    ["concurrency", 1.5, "a whole number from 1 to 64, or auto"],
    ["concurrency", 65, "a whole number from 1 to 64, or auto"],
    ["concurrency", Number.NaN, "a whole number from 1 to 64, or auto"],
    ["concurrency", Number.POSITIVE_INFINITY, "a whole number from 1 to 64, or auto"],
    ["concurrency", "4", "a whole number from 1 to 64, or auto"],
    ["queueLimit", -1, "a whole number from 0 to 10000"],
    ["queueLimit", 10_001, "a whole number from 0 to 10000"],
    ["cache", 10_001, "a whole number from 0 to 10000"],
    ["rateLimit", 60_001, "a whole number from 0 to 60000"],
    ["timeoutMs", -1, MS(100, 3_600_000)],
    ["timeoutMs", "30", MS(100, 3_600_000)],
    ["stallTimeoutMs", 0, MS(100, 86_400_000)],
    ["loadTimeoutMs", Number.NaN, MS(100, 86_400_000)],
    ["downloadStallMs", Number.POSITIVE_INFINITY, MS(100, 86_400_000)],
    ["maxTokens", 0, "a whole number from 1 to 1000000"],
    ["maxTokens", 2 ** 60, "a whole number from 1 to 1000000"],
    ["retry", 3, "an object such as { retries: 3 }"],
    ["retry.retries", { retries: 21 }, "a whole number from 0 to 20"],
    ["retry.initialPauseMs", { initialPauseMs: -5 }, MS(0, 3_600_000)],
    ["retry.maxPauseMs", { maxPauseMs: Number.NaN }, MS(0, 3_600_000)],
    ["circuit", true, "an object such as { failures: 5 }"],
    ["circuit.failures", { failures: 0 }, "a whole number from 1 to 1000000"],
    ["circuit.probeAfterMs", { probeAfterMs: "soon" }, MS(0, 3_600_000)],
    ["autostart", "false", "true or false"],
    ["embedded", "yes", "true, false or auto"],
    ["cliPath", " ", "a path"],
    ["model", 7, "an alias, a name or an id"],
    ["log", () => {}, "a pino logger, or an object with its methods"],
    ["log", { info() {} }, "a pino logger, or an object with its methods"],
    ["headers", [], 'an object of strings, such as {"X-Team":"research"}'],
    ["headers.X-Team", { "X-Team": 5 }, "a string"],
    ["apiKey", 5, "a string"],
  ])("refuse %s = %j, and report what is allowed", async (path, value, allowed) => {
    const error = await construct({ [String(path.split(".")[0])]: value });
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", retryable: false });
    expect(error.message).toMatch(new RegExp(`^Invalid value for ${path}: .+\\.$`));
    expect(error.action).toBe(`Give ${path} as allowed: ${allowed}.`);
  });

  it.each(["", "localhost", "127.0.0.1:5273", "ftp://host", 5273, "http://host/?s3cret"])(
    "refuse the endpoint %j without quoting it",
    async (endpoint) => {
      const error = await construct({ endpoint });
      expect(error.code).toBe("INVALID_ARGUMENT");
      expect(error.message).toBe("Invalid value for endpoint: (hidden).");
      expect(error.action).toMatch(URL_ALLOWED);
    },
  );

  it("are reported without secrets", async () => {
    const error = await construct({ apiKey: ["s3cret"], headers: { A: { b: "s3cret" } } });
    expect(`${error.message} ${error.action}`).not.toContain("s3cret");
  });

  it.each([
    ["baseURL", "endpoint"],
    ["baseUrl", "endpoint"],
    ["endPoint", "endpoint"],
    ["timeout", "timeoutMs"],
    ["timeoutms", "timeoutMs"],
    ["maxRetries", "retry"],
    ["rtry", "retry"],
    ["logger", "log"],
    ["concurency", "concurrency"],
    ["max_tokens", "maxTokens"],
  ])("refuse the unknown name %s and suggest %s", async (name, meant) => {
    const error = await construct({ [name]: "x" });
    expect(error).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `There is no option "${name}".`,
    });
    expect(error.action).toContain(`Did you mean ${meant}?`);
  });

  it("list the existing names for a name that resembles none", async () => {
    const error = await construct({ ["zzz".repeat(10_000)]: 1 });
    expect(error.action).not.toContain("Did you mean");
    expect(error.action).toContain("There are: endpoint, discovery");
  });

  it.each([
    [null, "null"],
    ["http://127.0.0.1:5273", "a string"],
    [5, "a number"],
    [true, "a boolean"],
    [[], "a list"],
  ])("refuse %j in place of the options", async (given, kind) => {
    expect(await failureOf(() => new FoundryClient(untyped(given)))).toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `The options are ${kind} and not an object.`,
      action: 'Give the options as an object such as { endpoint: "http://127.0.0.1:5273" }.',
    });
  });

  it("report all mistakes at once", async () => {
    const { message } = await construct({
      concurrency: 0,
      retry: 3,
      timeoutMs: -1,
      baseURL: "http://127.0.0.1:5273",
    });
    expect(message).toBe(
      'Invalid value for timeoutMs: -1. Invalid value for retry: 3. Invalid value for concurrency: 0. There is no option "baseURL".',
    );
  });

  it("accept the bounds themselves, undefined, and an endpoint with blanks", async () => {
    const client = new FoundryClient({
      endpoint: " http://127.0.0.1:1/v1/ ",
      autostart: undefined,
      concurrency: 64,
      queueLimit: 0,
      rateLimit: 0,
      cache: 0,
      timeoutMs: 100,
      stallTimeoutMs: 86_400_000,
      retry: { retries: 0, initialPauseMs: 0 },
      circuit: {},
    });
    await client.close();
  });
});

describe("the options of a call", () => {
  const client = new FoundryClient({ endpoint: "http://127.0.0.1:1", retry: { retries: 0 } });
  const request = { prompt: "Hi" };
  const started = () => client.completions.start(request, { join: false }).state.id;
  const calls: Readonly<Record<string, (options: object) => unknown>> = {
    complete: (options) => client.complete(request, options),
    streamComplete: (options) => client.streamComplete(request, options),
    listModels: (options) => client.listModels(options),
    loadModel: (options) => client.loadModel("phi", options),
    unloadModel: (options) => client.unloadModel("phi", options),
    healthCheck: (options) => client.healthCheck(options),
    "completions.wait": (options) => client.completions.wait(started(), options),
    "loads.wait": (options) => client.loads.wait(client.loads.start("phi"), options),
    completeBatch: (options) => client.completeBatch([request], options),
  };

  it.each(Object.entries(calls))("%s refuses an invalid signal", async (_name, call) => {
    for (const signal of [new AbortController(), "abort", 5, null, {}]) {
      const error = await failureOf(() => call({ signal }));
      expect(error.code).toBe("INVALID_ARGUMENT");
      expect(error.action).toBe("Give signal as allowed: an AbortSignal.");
    }
  });

  it.each(Object.entries(calls))("%s refuses an option that does not exist", async (_n, call) => {
    const error = await failureOf(() => call({ sginal: new AbortController().signal }));
    expect(error.message).toBe('There is no option "sginal".');
    expect(error.action).toContain("Did you mean signal?");
  });

  it.each([
    ["complete", { onStatus: true }, "onStatus", "a function"],
    ["listModels", { onStatus: {} }, "onStatus", "a function"],
    ["loadModel", { onStatus: "log" }, "onStatus", "a function"],
    ["loadModel", { device: "tpu" }, "device", "cpu, gpu or npu"],
    ["loadModel", { download: "yes" }, "download", "true or false"],
    ["loadModel", { force: 1 }, "force", "true or false"],
    ["loadModel", { idleSeconds: 0.5 }, "idleSeconds", "a whole number of seconds, 1 or more"],
    ["unloadModel", { force: "false" }, "force", "true or false"],
    [
      "completions.wait",
      { withinMs: Number.NaN },
      "withinMs",
      "a number of milliseconds, 0 or more",
    ],
    ["completions.wait", { onEvent: [] }, "onEvent", "a function"],
    ["loads.wait", { withinMs: -1 }, "withinMs", "a number of milliseconds, 0 or more"],
    ["completeBatch", { concurrency: 0 }, "concurrency", "a whole number, 1 or more"],
  ])("%s refuses %j", async (name, options, option, allowed) => {
    const error = await failureOf(() => calls[name]?.(options));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.action).toBe(`Give ${option} as allowed: ${allowed}.`);
  });

  it.each(Object.entries(calls))("%s refuses anything but an object", async (_name, call) => {
    for (const [options, kind] of [
      [untyped("phi"), "a string"],
      [untyped(null), "null"],
      [untyped([]), "a list"],
    ]) {
      const error = await failureOf(() => call(options));
      expect(error.code).toBe("INVALID_ARGUMENT");
      expect(error.message).toBe(`The options are ${kind} and not an object.`);
      expect(error.action).toMatch(/^Give the options as an object such as \{ .+ \}\.$/);
    }
  });

  it.each(Object.entries(calls))(
    "%s refuses a signal in place of its options",
    async (_n, call) => {
      const error = await failureOf(() => call(new AbortController().signal));
      expect(error.code).toBe("INVALID_ARGUMENT");
      expect(error.action).toBe("Give the signal as an option: { signal }.");
    },
  );

  it("names the option for a time limit, and none that is internal", async () => {
    const error = await failureOf(() => calls["complete"]?.({ timeout: 1000 }));
    expect(error.action).toBe(
      'Leave "timeout" out. Did you mean signal? There are: signal, trace, onStatus, cache.',
    );
  });

  it.each(["goesOn", "open"])("refuse what only this package may ask for: %s", async (name) => {
    const options: object = { cache: false, [name]: true };
    const error = await failureOf(() => client.completions.start(request, options));
    expect(error.message).toBe(`There is no option "${name}".`);
    expect(error.action).toMatch(/There are: cache, caller, session, join, trace\.$/);
  });

  it("may contain a compatible signal of another class", async () => {
    const { signal } = new AbortController();
    const other = {
      aborted: false,
      reason: undefined,
      addEventListener: signal.addEventListener.bind(signal),
      removeEventListener: signal.removeEventListener.bind(signal),
    };
    const error = await failureOf(() => calls["listModels"]?.({ signal: other }));
    // A loaded machine may not refuse the connection in time.
    expect(["SERVICE_UNREACHABLE", "TIMEOUT"]).toContain(error.code);
  });
});

describe("the arguments of a call", () => {
  const client = new FoundryClient({ endpoint: "http://127.0.0.1:1", retry: { retries: 0 } });
  const { completions, loads } = client;
  const firstItem = async (request: unknown) => {
    for await (const { state } of client.completeBatch(untyped([request]))) throw state.error;
  };
  const ofRequest: Readonly<Record<string, (request: unknown) => unknown>> = {
    complete: (request) => client.complete(untyped(request)),
    streamComplete: (request) => client.streamComplete(untyped(request)),
    completeBatch: firstItem,
    "completions.start": (request) => {
      throw completions.start(untyped(request)).state.error;
    },
  };

  it.each(Object.entries(ofRequest))("%s refuses an invalid request", async (_name, call) => {
    for (const [request, kind] of [
      ["hi", "a string"],
      [5, "a number"],
      [null, "null"],
      [[{ role: "user", content: "hi" }], "a list"],
      [false, "a boolean"],
    ]) {
      expect(await failureOf(() => call(request))).toMatchObject({
        code: "INVALID_ARGUMENT",
        message: `The request is ${kind} and not an object.`,
        action: 'Give a request such as { prompt: "Why is the sky blue?" }.',
      });
    }
  });

  it("are named in the error where they are missing", async () => {
    const messages = await Promise.all(
      [
        () => client.complete(untyped(undefined)),
        () => client.complete({}),
        () => client.completeBatch(untyped(undefined)),
        () => client.loadModel(untyped(undefined)),
        () => client.unloadModel(untyped(undefined)),
        () => completions.get(untyped(undefined)),
        () => completions.cancel(untyped(undefined)),
        () => loads.start(untyped(undefined)),
        () => loads.wait(untyped(undefined)),
      ].map(async (call) => {
        const { code, message } = await failureOf(call);
        return `${code}: ${message}`;
      }),
    );
    expect(messages).toEqual([
      "INVALID_ARGUMENT: The request is missing.",
      "INVALID_ARGUMENT: Neither prompt nor messages came, but a completion needs one of them.",
      "INVALID_ARGUMENT: requests is missing.",
      "INVALID_ARGUMENT: model is missing.",
      "INVALID_ARGUMENT: model is missing.",
      "INVALID_ARGUMENT: id is missing.",
      "INVALID_ARGUMENT: id is missing.",
      "INVALID_ARGUMENT: model is missing.",
      "INVALID_ARGUMENT: load is missing.",
    ]);
  });

  it.each([
    [
      "completions.get",
      () => completions.get(untyped(3)),
      "Give id as allowed: the id of a completion.",
    ],
    [
      "completions.wait",
      () => completions.wait(untyped({})),
      "Give id as allowed: the id of a completion.",
    ],
    [
      "completions.onChange",
      () => completions.onChange(untyped("x")),
      "Give listener as allowed: a function.",
    ],
    [
      "loads.start",
      () => loads.start(untyped(3)),
      "Give model as allowed: an alias, a name or an id.",
    ],
    ["loads.stop", () => loads.stop(untyped("phi")), "Give load as allowed: what start returned."],
    [
      "loadModel",
      () => client.loadModel(untyped({})),
      "Give model as allowed: an alias, a name or an id.",
    ],
    [
      "completeBatch",
      () => client.completeBatch(untyped("hi")),
      "Give requests as allowed: a list of requests.",
    ],
  ])("%s refuses a wrong type", async (_name, call, action) => {
    expect(await failureOf(call)).toMatchObject({ code: "INVALID_ARGUMENT", action });
  });
});
