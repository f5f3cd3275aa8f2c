import { describe, expect, it, onTestFinished } from "vitest";
import { ServiceClient } from "../../src/foundry/index.js";
import type { StartOptions } from "../../src/jobs/completion-options.js";
import { Completions } from "../../src/jobs/completions.js";
import { clientOf, simulate } from "../foundry/fixtures.js";
import { FOREVER, MODEL, talker } from "./fixtures.js";

/** Slow enough to be read while it runs. */
const SLOW = { tokensPerSecond: 50 };
const asked = (prompt: string, temperature?: number) => ({ prompt, temperature, maxTokens: 3000 });

/** Completions whose clock the test sets. */
async function timed(script: object, now: () => number): Promise<Completions> {
  const { service } = await talker(script, SLOW);
  const completions = new Completions(new ServiceClient({ endpoint: service.url }), { now });
  onTestFinished(() => completions.close());
  return completions;
}

describe("a completion that outlives its call", () => {
  it("is started at once and can be awaited", async () => {
    const { completions } = await talker({ text: "It is blue." });
    const { state, joined } = completions.start({ prompt: "Why?" });
    expect({ status: state.status, joined }).toEqual({ status: "queued", joined: false });
    const ended = await completions.wait(state.id);
    expect(ended).toMatchObject({ id: state.id, status: "completed", text: "It is blue." });
    expect(ended.endedAt).not.toBeNull();
    expect(completions.get(state.id)).toEqual(ended);
  });

  it("can be read in its current state, without waiting", async () => {
    const { completions, service } = await talker(FOREVER, SLOW);
    const { id } = completions.start(asked("Go")).state;
    await service.waitFor(({ generating }) => generating > 0);
    await expect.poll(() => completions.get(id).text).toMatch(/^On and/);
    const state = await completions.wait(id, { withinMs: 0 });
    expect(state).toMatchObject({ status: "running", error: null, endedAt: null });
  });

  it("continues when a wait for it times out or is cancelled", async () => {
    const { completions } = await talker({ text: "One two three four five six." }, SLOW);
    const { id } = completions.start(asked("Count")).state;
    expect((await completions.wait(id, { withinMs: 20 })).endedAt).toBeNull();
    const leaving = new AbortController();
    const left = completions.wait(id, { signal: leaving.signal });
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await completions.wait(id)).toMatchObject({ text: "One two three four five six." });
  });

  it("can be awaited by many calls under one signal without a warning from Node", async () => {
    const { completions } = await talker({ text: "One two three." }, SLOW);
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on("warning", note);
    const { id } = completions.start({ prompt: "Count" }).state;
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 50 }, () => completions.wait(id, { signal })));
    process.off("warning", note);
    expect(warnings).toEqual([]);
  });

  it("sends all of its events to each waiter", async () => {
    const { completions } = await talker({ text: "One two three." }, SLOW);
    const { id } = completions.start({ prompt: "Count" }).state;
    const texts = ["", ""];
    const kinds = new Set<string>();
    const waits = texts.map((_, index) =>
      completions.wait(id, {
        onEvent: (event) => {
          kinds.add(event.type);
          if (event.type === "text") texts[index] += event.text;
        },
      }),
    );
    expect(completions.watchersOf(id)).toBe(2);
    const watchersAtEnd: number[] = [];
    completions.onChange((_id, what) => {
      if (what === "ended") watchersAtEnd.push(completions.watchersOf(id));
    });
    await Promise.all(waits);
    expect(watchersAtEnd).toEqual([0]);
    expect(texts).toEqual(["One two three.", "One two three."]);
    expect([...kinds]).toEqual(["status", "text", "completed", "ended"]);
    expect(completions.watchersOf(id)).toBe(0);
  });

  it("ends with its error and the text so far when the model fails", async () => {
    const script = { text: "A long story about the sea.", failAfterTokens: 4 };
    const { completions } = await talker(script);
    const { id } = completions.start({ prompt: "Tell" }).state;
    const ended = await completions.wait(id);
    expect(ended).toMatchObject({
      status: "interrupted",
      text: expect.stringMatching(/^A long/),
      error: { code: "INFERENCE_FAILED" },
    });
  });

  it("is refused at once where the request is invalid", async () => {
    const { completions } = await talker({ text: "Hello." });
    expect(() => completions.start({ prompt: "Hi", temperature: 9 })).toThrow(
      "Invalid value for temperature: 9",
    );
    expect(() => completions.start({})).toThrow("Neither prompt nor messages");
    expect(completions.list()).toEqual([]);
  });

  it("is in the list, the newest first", async () => {
    const { completions } = await talker({ text: "Hello." });
    const ids = ["a", "b"].map((prompt) => completions.start({ prompt }).state.id);
    expect(completions.list().map(({ id }) => id)).toEqual(ids.reverse());
  });

  it("is not found after its eviction, and the error says why", async () => {
    const { completions } = await talker({ text: "Hello." });
    const { id } = completions.start({ prompt: "Hi" }).state;
    const later = id.replace(/-1$/, "-9");
    expect(() => completions.get(later)).toThrow(`There is no completion "${later}".`);
    await expect(completions.wait("c-000000-1")).rejects.toThrow("earlier run of this program");
    await expect(completions.cancel("b-000000-1")).rejects.toThrow("the id of a batch");
  });
});

describe("the cancellation of a completion", () => {
  it("keeps the text so far, and reports whether the device is free", async () => {
    const { completions, service } = await talker(FOREVER, SLOW);
    const { id } = completions.start(asked("Go")).state;
    await expect.poll(() => completions.get(id).text).toMatch(/^On and/);
    const { state, deviceBusy } = await completions.cancel(id);
    expect(state).toMatchObject({ status: "cancelled", error: { code: "CANCELLED" } });
    expect(state.text).toMatch(/^On and/);
    expect(deviceBusy).toBe(false);
    await service.waitFor(({ generating }) => generating === 0);
  });

  it("reports a busy device for a version that generates on to its token limit", async () => {
    const { completions } = await talker(FOREVER, { ...SLOW, version: "2.0.1" });
    const { id } = completions.start(asked("Go")).state;
    await expect.poll(() => completions.get(id).text).not.toBe("");
    expect((await completions.cancel(id)).deviceBusy).toBe(true);
  });

  it("does not change a completion that has ended", async () => {
    const { completions } = await talker({ text: "Done." });
    const { id } = completions.start({ prompt: "Hi" }).state;
    await completions.wait(id);
    const { state, deviceBusy } = await completions.cancel(id);
    expect(state).toMatchObject({ status: "completed", text: "Done.", error: null });
    expect(deviceBusy).toBe(false);
  });

  it("sends no request for a completion that was still queued", async () => {
    const { completions, chats } = await talker(FOREVER, SLOW);
    const first = completions.start(asked("Go")).state.id;
    await expect.poll(() => completions.get(first).status).toBe("running");
    const second = completions.start(asked("Wait")).state.id;
    await expect.poll(() => completions.get(second).place).toBe(1);
    const { state, deviceBusy } = await completions.cancel(second);
    expect(state).toMatchObject({ status: "cancelled", place: null });
    expect(deviceBusy).toBe(false);
    await completions.cancel(first);
    expect(chats()).toHaveLength(1);
  });

  it("by closing the client rejects all waiters", async () => {
    const { client, completions } = await talker(FOREVER, SLOW);
    const ids = ["a", "b", "c"].map((prompt) => completions.start(asked(prompt)).state.id);
    const waits = ids.map((id) => completions.wait(id));
    await expect.poll(() => completions.get(ids[0] ?? "").text).not.toBe("");
    await client.close();
    const states = await Promise.all(waits);
    expect(states.map(({ status, error }) => [status, error?.code])).toEqual(
      ids.map(() => ["cancelled", "CLIENT_CLOSED"]),
    );
    expect(states[0]?.text).toMatch(/^On/);
    expect(() => completions.start({ prompt: "Hi" })).toThrow("The client was closed.");
  });

  it("is not caused by a listener that throws", async () => {
    const { completions } = await talker({ text: "One two three." }, SLOW);
    const { id } = completions.start({ prompt: "Count" }).state;
    const waiting = completions.wait(id, {
      onEvent: () => {
        throw new Error("a defect of the watcher");
      },
    });
    await expect(waiting).rejects.toThrow("a defect of the watcher");
    expect(await completions.wait(id)).toMatchObject({ text: "One two three." });
  });
});

describe("an identical completion", () => {
  it("is not shared without a reason", async () => {
    const { completions } = await talker(FOREVER, SLOW);
    const first = completions.start(asked("Go"));
    const second = completions.start(asked("Go"));
    expect(second.joined).toBe(false);
    expect(second.state.id).not.toBe(first.state.id);
  });

  it("is shared at temperature 0 while it runs, and not afterwards", async () => {
    const { completions, chats } = await talker({ text: "It is blue." }, SLOW);
    const first = completions.start(asked("Why?", 0));
    const second = completions.start(asked("Why?", 0));
    expect(second).toMatchObject({ joined: true, state: { id: first.state.id } });
    await completions.wait(first.state.id);
    expect(completions.start(asked("Why?", 0)).joined).toBe(false);
    await expect.poll(() => chats().length).toBe(2);
  });

  it("is not shared where anything differs, or with `join: false`", async () => {
    const { completions } = await talker(FOREVER, SLOW);
    completions.start(asked("Go", 0));
    expect(completions.start({ ...asked("Go", 0), seed: 1 }).joined).toBe(false);
    expect(completions.start(asked("Stop", 0)).joined).toBe(false);
    expect(completions.start(asked("Go", 0), { join: false }).joined).toBe(false);
  });

  it("takes over a detached one, whatever its temperature, once", async () => {
    const { completions } = await talker(FOREVER, SLOW);
    const { id } = completions.start(asked("Go")).state;
    completions.detach(id);
    expect(completions.start(asked("Go"))).toMatchObject({ joined: true, state: { id } });
    expect(completions.start(asked("Go")).joined).toBe(false);
  });

  it("takes over a detached one that has ended, unless it has been read", async () => {
    const { completions } = await talker({ text: "It is blue." });
    const given = (prompt: string) => {
      const { id } = completions.start({ prompt }).state;
      completions.detach(id);
      return id;
    };
    const [unread, read] = [given("a"), given("b")];
    await expect.poll(() => completions.list().every(({ endedAt }) => endedAt !== null)).toBe(true);
    completions.get(read);
    expect(completions.start({ prompt: "a" })).toMatchObject({
      joined: true,
      state: { id: unread },
    });
    expect(completions.start({ prompt: "b" }).joined).toBe(false);
  });

  it("does not take over one that failed or is being cancelled", async () => {
    const { completions } = await talker({ text: "A story.", failAfterTokens: 1 });
    const { id } = completions.start({ prompt: "Tell" }).state;
    completions.detach(id);
    await expect.poll(() => completions.list()[0]?.status).toBe("interrupted");
    expect(completions.start({ prompt: "Tell" }).joined).toBe(false);

    const stopped = completions.start(asked("Go", 0)).state.id;
    const cancelled = completions.cancel(stopped);
    expect(completions.start(asked("Go", 0)).joined).toBe(false);
    await cancelled;
  });

  it("is joined only by the same request of its session after three seconds", async () => {
    let now = 0;
    const completions = await timed(FOREVER, () => now);
    const { id } = completions.start(asked("Go"), { session: "one" }).state;
    const again = (options: StartOptions) => completions.start(asked("Go"), options).joined;
    now = 3000;
    expect(again({ session: "one" })).toBe(false);
    now = 3001;
    expect(again({ session: "two" })).toBe(false);
    expect(again({})).toBe(false);
    expect(again({ session: "one", join: false })).toBe(false);
    expect(completions.start(asked("Stop"), { session: "one" }).joined).toBe(false);
    const started = completions.list().map((run) => run.id);
    const joined = completions.start(asked("Go"), { session: "one" });
    expect(joined).toMatchObject({ joined: true, state: { id } });
    expect(completions.list().map((run) => run.id)).toEqual(started);
  });

  it("is stopped when the call that repeats it is cancelled, although the first call still waits", async () => {
    let now = 0;
    const completions = await timed(FOREVER, () => now);
    const { id } = completions.start(asked("Go"), { session: "one" }).state;
    const first = completions.waitBegun(id, { session: "one" });
    now = 3001;
    expect(completions.start(asked("Go"), { session: "one" }).joined).toBe(true);
    expect(completions.watchersOf(id)).toBe(1);
    expect(completions.abandon(id)).toBe(true);
    expect((await first).status).toBe("cancelled");
  });

  it.each([
    ["a reader", (completions: Completions, id: string) => completions.wait(id)],
    [
      "another session",
      (completions: Completions, id: string) => {
        completions.detach(id);
        completions.start(asked("Go"), { session: "two" });
        return completions.waitBegun(id, { session: "two" });
      },
    ],
  ])(
    "is not stopped when the call that repeats it is cancelled, and %s waits",
    async (_who, waitOf) => {
      let now = 0;
      const completions = await timed(FOREVER, () => now);
      const { id } = completions.start(asked("Go"), { session: "one" }).state;
      const waiting = waitOf(completions, id);
      now = 3001;
      expect(completions.start(asked("Go"), { session: "one" }).joined).toBe(true);
      expect(completions.abandon(id)).toBe(false);
      expect(completions.watchersOf(id)).toBe(1);
      expect(completions.get(id).error).toBeNull();
      await completions.cancel(id);
      await waiting;
    },
  );

  it.each([
    ["that still waits", false],
    ["that was detached", true],
  ])(
    "is stopped at temperature 0 when the call that repeats one %s is cancelled",
    async (_which, isDetached) => {
      let now = 0;
      const completions = await timed(FOREVER, () => now);
      const { id } = completions.start(asked("Go", 0), { session: "one" }).state;
      if (isDetached) completions.detach(id);
      now = 3001;
      expect(completions.start(asked("Go", 0), { session: "one" }).joined).toBe(true);
      expect(completions.abandon(id)).toBe(true);
    },
  );

  it("is not joined as a repetition when it has ended or is being cancelled", async () => {
    let now = 0;
    const completions = await timed({ text: "It is blue." }, () => now);
    const { id } = completions.start({ prompt: "Why?" }, { session: "one" }).state;
    await completions.wait(id);
    now = 10_000;
    const next = completions.start({ prompt: "Why?" }, { session: "one" });
    expect(next.joined).toBe(false);
    now = 20_000;
    const cancelled = completions.cancel(next.state.id);
    expect(completions.start({ prompt: "Why?" }, { session: "one" }).joined).toBe(false);
    await cancelled;
  });

  it("is stopped after it was detached, unless a call has asked for it since", async () => {
    const { completions } = await talker(FOREVER, SLOW);
    const kinds: Record<string, (id: string) => unknown> = {
      nothing: () => {},
      list: () => completions.list(),
      get: (id) => completions.get(id),
      join: () => completions.start(asked("join")),
      wait: (id) => completions.wait(id, { withinMs: 0 }),
      "another cancellation": (id) => {
        completions.start(asked("another cancellation"));
        completions.detach(id);
      },
    };
    const stopped: string[] = [];
    for (const [kind, ask] of Object.entries(kinds)) {
      const { id } = completions.start(asked(kind)).state;
      const abandonUnlessAsked = completions.detach(id);
      await ask(id);
      abandonUnlessAsked();
      const { status } = await completions.wait(id, { withinMs: 300 });
      if (status === "cancelled") stopped.push(kind);
      await completions.cancel(id);
    }
    expect(stopped).toEqual(["nothing", "list"]);
  });

  it("is stopped after all calls that shared it were detached", async () => {
    const { completions } = await talker(FOREVER, SLOW);
    const { id } = completions.start(asked("Go", 0)).state;
    completions.start(asked("Go", 0));
    const abandons = [completions.detach(id), completions.detach(id)];
    for (const abandonUnlessAsked of abandons) abandonUnlessAsked();
    expect((await completions.wait(id, { withinMs: 10_000 })).status).toBe("cancelled");
  });

  it("is stopped when a call that took it over from several detached calls is cancelled", async () => {
    const { completions } = await talker(FOREVER, SLOW);
    const { id } = completions.start(asked("Go", 0)).state;
    completions.start(asked("Go", 0));
    const abandons = [completions.detach(id), completions.detach(id)];
    completions.start(asked("Go", 0));
    for (const abandonUnlessAsked of abandons) abandonUnlessAsked();
    expect(completions.get(id).error).toBeNull();
    expect(completions.abandon(id)).toBe(true);
  });

  it("is not stopped with one of two calls, the first of which took it over from a detached one", async () => {
    const { completions } = await talker(FOREVER, SLOW);
    const { id } = completions.start(asked("Go", 0)).state;
    completions.start(asked("Go", 0));
    const abandonUnlessAsked = completions.detach(id);
    // The other one is gone: only the detached claim is left.
    expect(completions.abandon(id)).toBe(false);
    completions.start(asked("Go", 0));
    abandonUnlessAsked();
    completions.start(asked("Go", 0));
    expect(completions.abandon(id)).toBe(false);
    expect(completions.abandon(id)).toBe(true);
  });

  it("is taken over after its only call was given up while another one waits for it", async () => {
    const { completions } = await talker(FOREVER, SLOW);
    const { id } = completions.start(asked("Go")).state;
    const waiting = completions.wait(id);
    completions.detach(id)();
    expect(completions.start(asked("Go"))).toMatchObject({ joined: true, state: { id } });
    await completions.cancel(id);
    await waiting;
  });

  it("is stopped when the last of its callers abandons it, and not earlier", async () => {
    const { completions } = await talker(FOREVER, SLOW);
    const { id } = completions.start(asked("Go", 0)).state;
    completions.start(asked("Go", 0));
    expect(completions.abandon(id)).toBe(false);
    expect(completions.abandon(id)).toBe(true);
    expect((await completions.wait(id)).status).toBe("cancelled");
  });

  it("is not stopped while another caller waits for it", async () => {
    const { completions } = await talker(FOREVER, SLOW);
    const { id } = completions.start(asked("Go")).state;
    const waiting = completions.wait(id, { withinMs: 100 });
    expect(completions.abandon(id)).toBe(false);
    expect((await waiting).status).not.toBe("cancelled");
  });
});

describe("completions in the queue", () => {
  it("report their place, and keep their order", async () => {
    const { completions, chats } = await talker({ text: "Short." }, { tokensPerSecond: 20 });
    const ids = ["a", "b", "c"].map((prompt) => completions.start({ prompt }).state.id);
    await expect.poll(() => ids.map((id) => completions.get(id).place)).toEqual([null, 1, 2]);
    const states = await Promise.all(ids.map((id) => completions.wait(id)));
    expect(states.map(({ text, place }) => [text, place])).toEqual(ids.map(() => ["Short.", null]));
    const prompts = chats().map(({ body }) => /"content":"(.)"/.exec(JSON.stringify(body))?.[1]);
    expect(prompts).toEqual(["a", "b", "c"]);
  });

  it("end with QUEUE_FULL where the queue is full", async () => {
    const { completions } = await talker(FOREVER, SLOW, { queueLimit: 1 });
    const ids = ["a", "b"].map((prompt) => completions.start(asked(prompt)).state.id);
    await expect.poll(() => completions.get(ids[1] ?? "").place).toBe(1);
    const refused = await completions.wait(completions.start(asked("c")).state.id);
    expect(refused).toMatchObject({ status: "failed", error: { code: "QUEUE_FULL" } });
  });

  it("release their place before their last event, so that its reader can send the next request", async () => {
    const { client } = await talker({ text: "Yes." });
    const texts: string[] = [];
    for await (const { type } of client.streamComplete({ prompt: "One?" })) {
      if (type === "completed") texts.push((await client.complete({ prompt: "Two?" })).text);
    }
    expect(texts).toEqual(["Yes."]);
  });

  it("share one queue with calls of `complete`", async () => {
    const { client, completions } = await talker(FOREVER, SLOW);
    const leaving = new AbortController();
    const plain = client.complete({ ...asked("Go"), model: MODEL }, { signal: leaving.signal });
    plain.catch(() => {});
    await expect.poll(() => completions.queue.running).toBe(1);
    const { id } = completions.start(asked("Wait")).state;
    await expect.poll(() => completions.get(id).place).toBe(1);
    leaving.abort();
    await expect.poll(() => completions.get(id).status).toBe("running");
  });
});

it("a completion that is repeated with another model waits, however full the queue is", async () => {
  const { url } = await simulate({
    models: [
      { id: "broken-generic-cpu:1", loadError: "no memory" },
      { id: "talker-generic-cpu:1", loaded: true, script: { text: "On. ", forever: true } },
    ],
    tokensPerSecond: 50,
  });
  const { completions } = clientOf(url, { concurrency: 1, queueLimit: 0 });
  const endless = { prompt: "Go", model: "talker", maxTokens: 4000 };
  const { id } = completions.start(endless).state;
  await expect.poll(() => completions.get(id).text).not.toBe("");

  const again = { prompt: "Hi", models: ["broken", "talker"], maxTokens: 1 };
  const second = completions.start(again).state.id;

  await expect.poll(() => completions.get(second)).toMatchObject({ status: "queued", place: 1 });
  await completions.cancel(id);
  expect(await completions.wait(second)).toMatchObject({ status: "completed", error: null });
});
