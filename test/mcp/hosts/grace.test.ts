import type { SimulatorOptions } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { FoundryClient } from "../../../src/jobs/index.js";
import type { CallPolicy } from "../../../src/mcp/backend.js";
import { HostLimits } from "../../../src/mcp/hosts.js";
import type { RequestContext } from "../../../src/mcp/requests.js";
import { Tasks } from "../../../src/mcp/tasks.js";
import { callHandler } from "../../../src/mcp/tool-registry.js";
import { TOOLS } from "../../../src/mcp/tools/index.js";
import { backendOf } from "../backend.js";
import { simulatedService } from "../host.js";

/** A clock that the test sets. */
class ManualClock {
  #now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  pass(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#now || !this.#timers.delete(timer)) continue;
      timer.callback();
    }
  }
}

const MODEL = "talker-generic-cpu:1";
const UNCLEAR = "MCP request cancelled by caller";
const TALKS: SimulatorOptions = {
  models: [{ id: MODEL, loaded: true, script: { text: "On and on. ", forever: true } }],
  tokensPerSecond: 50,
};

/** The handler of `tools/call`, whose clock the test sets. */
async function world(options: SimulatorOptions = TALKS, policy: CallPolicy = { onCancel: "auto" }) {
  const service = await simulatedService(options);
  const client = new FoundryClient({ endpoint: service.url, concurrency: 1 });
  onTestFinished(() => client.close());
  const clock = new ManualClock();
  const backend = await backendOf({ client, policy }).get();
  const handler = callHandler(TOOLS, backend, {
    clock,
    session: "",
    limits: new HostLimits(),
    tasks: new Tasks(),
  });
  const call = (name: string, given: object, signal = new AbortController().signal) =>
    handler({ name, arguments: given }, contextOf(signal));
  /** A call that its host cancels when the model writes. */
  const cancelled = async (name: string, given: object, reason?: string): Promise<void> => {
    const cancel = new AbortController();
    const gone = call(name, given, cancel.signal);
    await service.waitFor(({ generating }) => generating === 1);
    cancel.abort(reason);
    await gone;
  };
  return { service, client, clock, call, cancelled };
}

const contextOf = (signal: AbortSignal): RequestContext => ({
  signal,
  notify: async () => {},
  send: () => Promise.reject(new Error("not of this test")),
});

const COMPLETE = { prompt: "Go", max_tokens: 3000 };
const statusOf = ({ completions }: FoundryClient) => completions.list()[0]?.status;

describe("the work of a call that was cancelled without a clear reason", () => {
  it.each([UNCLEAR, "AbortError: The operation was aborted.", "", undefined])(
    "stops after 30 s if no call asks for it: %j",
    async (reason) => {
      const { client, clock, cancelled } = await world();
      await cancelled("complete", COMPLETE, reason);
      clock.pass(29_999);
      expect(statusOf(client)).toBe("running");
      clock.pass(1);
      await expect.poll(() => statusOf(client)).toBe("cancelled");
    },
  );

  it("continues once the same call has joined it", async () => {
    const { service, client, clock, call, cancelled } = await world();
    await cancelled("complete", COMPLETE, UNCLEAR);
    clock.pass(10_000);
    const joined = await call("complete", { ...COMPLETE, reply_within: 0 });
    clock.pass(60_000);
    expect(joined["structuredContent"]).toMatchObject({ joined: true, status: "running" });
    expect(service.generating).toBe(1);
    expect(statusOf(client)).toBe("running");
  });

  it("continues once get_completion has asked for it", async () => {
    const { client, clock, call, cancelled } = await world();
    await cancelled("complete", COMPLETE, UNCLEAR);
    const ids = client.completions.list().map(({ id }) => id);
    await call("get_completion", { completion_ids: ids, reply_within: 0 });
    clock.pass(60_000);
    expect(statusOf(client)).toBe("running");
  });

  it("stops 30 s after the latest of two such cancellations", async () => {
    const { client, clock, cancelled } = await world();
    await cancelled("complete", COMPLETE, UNCLEAR);
    clock.pass(20_000);
    await cancelled("complete", COMPLETE, UNCLEAR);
    clock.pass(20_000);
    expect(statusOf(client)).toBe("running");
    clock.pass(10_000);
    await expect.poll(() => statusOf(client)).toBe("cancelled");
  });

  it("may be a batch, which stops unless it was continued", async () => {
    const given = { prompts: ["One", "Two"], max_tokens: 3000, batch_id: "mine" };
    const left = await world();
    await left.cancelled("complete_batch", given, UNCLEAR);
    left.clock.pass(30_000);
    await left.service.waitFor(({ generating }) => generating === 0);

    const continued = await world();
    await continued.cancelled("complete_batch", given, UNCLEAR);
    await continued.call("complete_batch", { batch_id: "mine", reply_within: 0 });
    continued.clock.pass(60_000);
    expect(continued.service.generating).toBe(1);
  });

  it("may be a download, which stops unless it was requested again", async () => {
    const missing = { id: MODEL, alias: "talker", downloaded: false };
    const options = { dialect: "S", models: [missing], downloadMs: 60_000 } as const;
    const given = { model: "talker", download: true };
    for (const isAskedAgain of [false, true]) {
      const { service, clock, call } = await world(options);
      const cancel = new AbortController();
      const gone = call("load_model", given, cancel.signal);
      const download = await service.waitFor(({ requests }) =>
        requests.find(({ path }) => path.startsWith("/openai/download")),
      );
      cancel.abort(UNCLEAR);
      await gone;
      if (isAskedAgain) await call("load_model", { ...given, reply_within: 0 });
      clock.pass(30_000);
      if (isAskedAgain) expect(download.endedBy).toBeNull();
      else await service.waitFor(() => download.endedBy === "client-gone");
    }
  });
});

describe("a host that times out after 5 s", () => {
  it("gets its answers after 4 s from then on", async () => {
    const { clock, call } = await world();
    const cancel = new AbortController();
    const first = call("complete", COMPLETE, cancel.signal);
    clock.pass(5000);
    cancel.abort("timed out after 5s");
    await first;
    const begun = performance.now();
    const second = await call("complete", { prompt: "Another", max_tokens: 3000 });
    expect(second["structuredContent"]).toMatchObject({ status: "queued" });
    expect(second["structuredContent"]).not.toHaveProperty("joined");
    expect(performance.now() - begun).toBeGreaterThan(3500);
    expect(performance.now() - begun).toBeLessThan(20_000);
  });

  it("gets its answers as the setting says where it is set", async () => {
    const { clock, call } = await world(TALKS, { onCancel: "auto", replyWithinMs: 0 });
    const cancel = new AbortController();
    const first = call("complete", COMPLETE, cancel.signal);
    clock.pass(5000);
    cancel.abort("timed out after 5s");
    await first;
    const second = await call("complete", { prompt: "Another", max_tokens: 3000 });
    expect(second["structuredContent"]).toMatchObject({ status: "queued" });
  });
});
