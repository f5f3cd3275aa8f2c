import { once } from "node:events";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it, onTestFinished } from "vitest";
import type { LoadState } from "../../src/jobs/index.js";
import { keeperHolds } from "../../src/keeper/index.js";
import { Keeping } from "../../src/keeper/keeping.js";
import { Link } from "../../src/keeper/link.js";
import { foundSchema, keptSchema, type Patch } from "../../src/keeper/messages.js";
import { ensureSecret, newNonce, PROTOCOL, proofOf } from "../../src/keeper/socket.js";
import { patchOf, toWire } from "../../src/keeper/states.js";
import { silentLogger } from "../../src/log.js";
import { type KeeperAddress, stableHost } from "../../src/platform/index.js";
import { FOREVER, talker } from "../jobs/fixtures.js";
import { standStill } from "../stand-still.js";
import { keeperAt, keepOf, linkTo, newAddress, SETTINGS, stateOf } from "./fixtures.js";

const HANDLERS = { onPatches: () => {}, onStop: () => {} };
const ANSWER = { text: "It is a simulated answer." };

/** The answers of the keeper to raw lines of a program. */
async function rawTo(address: { readonly socket: string }, ...lines: readonly string[]) {
  const socket = connect(address.socket);
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  const closed = once(socket, "close");
  const answers: string[] = [];
  createInterface({ input: socket }).on("line", (line) => answers.push(line));
  for (const line of lines) socket.write(`${line}\n`);
  return { socket, answers, closed };
}

type Message = { readonly do?: string; readonly n?: number; readonly nonce?: string };

/** Greets as the keeper of this user does. What it answers after that is `serve`'s. */
async function scriptedKeeper(
  address: KeeperAddress,
  serve: (message: Message, send: (...messages: readonly object[]) => void) => void,
  greeted = (): void => {},
): Promise<void> {
  const secret = await ensureSecret(address);
  const keeper = createServer((socket) => {
    const send = (...messages: readonly object[]): void => {
      socket.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
    };
    createInterface({ input: socket }).on("line", (line) => {
      const message: Message = JSON.parse(line);
      if (message.nonce !== undefined) {
        const proof = proofOf(secret, "keeper", message.nonce);
        send({ protocol: PROTOCOL, nonce: newNonce(), proof });
      } else if (message.do === undefined) {
        send({ ready: true });
        greeted();
      } else serve(message, send);
    });
  });
  keeper.listen(address.socket);
  onTestFinished(() => void keeper.close());
  await once(keeper, "listening");
}

describe("the keeper", () => {
  it("delivers a completion after its process has ended, and ends when it is released", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const running = keeperAt(address, client);
    const first = await linkTo(address);
    await first.ask(keepOf({ text: "It is" }), keptSchema);
    first.close();
    const patches: Patch[] = [];
    const second = await linkTo(address, { onPatches: (more) => patches.push(...more) });
    const question = { do: "find" as const, ids: ["c-before-1"], batch: null, same: null };
    const { completions } = await second.ask(question, foundSchema);
    expect(completions).toMatchObject([{ state: { id: "c-before-1" } }]);
    const last = () => patches.at(-1)?.status ?? completions[0]?.state.status;
    await expect.poll(last).toBe("completed");
    expect(await keeperHolds(address)).toBe(1);
    second.send({ do: "release", completions: ["c-before-1"], batches: [], loads: [] });
    await running;
    expect(await keeperHolds(address)).toBeNull();
  });

  it("reports that an answer was generated again until a result has said so", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const running = keeperAt(address, client);
    const first = await linkTo(address);
    await first.ask(keepOf({ text: "There was another beginning" }), keptSchema);
    first.close();
    const id = "c-before-1";
    const serverOf = async () => {
      const { client: own } = await talker(ANSWER);
      const start = () => Promise.resolve();
      const keeping = new Keeping({
        client: own,
        address,
        settings: SETTINGS,
        start,
        log: silentLogger,
      });
      onTestFinished(() => keeping.close());
      await keeping.find([id]);
      await own.completions.wait(id, { withinMs: 5000 });
      return keeping;
    };
    // A call that is cancelled while it waits sends the question, but gets no answer.
    expect((await serverOf()).isRegenerated(id)).toBe(true);
    const second = await serverOf();
    expect([second.isRegenerated(id), second.isRegenerated(id)]).toEqual([true, true]);
    second.answeredRegenerated(id);
    expect(second.isRegenerated(id)).toBe(false);
    await expect.poll(async () => (await serverOf()).isRegenerated(id)).toBe(false);
    await second.answered({ promised: [], delivered: [id] });
    await running;
  });

  it("runs once per user, however many are started at the same time", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const runs = Array.from({ length: 4 }, () => keeperAt(address, client));
    const link = await linkTo(address);
    await link.ask(keepOf({ status: "completed", endedAt: 1 }), keptSchema);
    let ended = 0;
    for (const run of runs) void run.then(() => (ended += 1));
    await expect.poll(() => ended).toBe(3);
    // The one that is left still answers.
    await link.ask(keepOf({ status: "completed", endedAt: 1 }), keptSchema);
    expect(ended).toBe(3);
    link.send({ do: "release", completions: ["c-before-1"], batches: [], loads: [] });
    await Promise.all(runs);
  });

  it("accepts its user beside more unauthenticated connections than its limit", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const running = keeperAt(address, client);
    const first = await linkTo(address);
    const strangers: Awaited<ReturnType<typeof rawTo>>[] = [];
    for (let count = 0; count < 150; count += 1) strangers.push(await rawTo(address));
    expect(await (await linkTo(address)).holds()).toBe(0);
    expect(await first.holds()).toBe(0);
    for (const { socket } of strangers) socket.destroy();
    await running;
  });

  it("replaces a socket that a killed keeper left behind", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    await ensureSecret(address);
    if (process.platform !== "win32") await writeFile(address.socket, "");
    const running = keeperAt(address, client);
    expect(await (await linkTo(address)).holds()).toBe(0);
    await running;
  });

  it("starts beside the lock of a killed keeper whose process id another program has", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const locks = join(address.directory, "lock");
    await mkdir(locks, { recursive: true });
    const owner = { pid: process.ppid, host: stableHost(process.platform, hostname()) };
    await writeFile(join(locks, "killed.lock"), JSON.stringify(owner));
    await keeperAt(address, client, 1);
    // A keeper that gave way would have left it.
    expect(await readdir(locks)).toEqual([]);
  });

  it.each([
    ["no JSON", () => ["hello"]],
    ["a message before the greeting", () => ['{"do":"status","n":1}']],
    ["a line that does not end", () => ["x".repeat(5000)]],
    [
      "a wrong proof",
      () => [
        JSON.stringify({ protocol: PROTOCOL, nonce: newNonce() }),
        JSON.stringify({ proof: proofOf("another secret", "server", newNonce()) }),
      ],
    ],
    [
      "a message in place of the proof",
      () => [
        JSON.stringify({ protocol: PROTOCOL, nonce: newNonce() }),
        JSON.stringify({ do: "find", n: 1, ids: ["c-before-1"], batch: null, same: null }),
      ],
    ],
  ])("closes the connection of %s", async (_what, lines) => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const running = keeperAt(address, client);
    await linkTo(address);
    const { closed, answers } = await rawTo(address, ...lines());
    await closed;
    expect(answers.join()).not.toContain("c-before-1");
    await running;
  });

  it("is not used by a process with another version", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const running = keeperAt(address, client);
    await linkTo(address);
    const greeting = JSON.stringify({ protocol: PROTOCOL + 1, nonce: newNonce() });
    const { closed, answers } = await rawTo(address, greeting);
    await closed;
    expect(JSON.parse(String(answers[0]))).toMatchObject({ protocol: PROTOCOL });
    await running;
  });

  it.each([
    ["that it runs", true],
    ["of a process that still runs it", false],
  ])("ends a completion %s for its followers when it is released", async (_what, isLeft) => {
    const { client, service } = await talker(FOREVER, { tokensPerSecond: 50 });
    const address = await newAddress();
    const running = keeperAt(address, client);
    const first = await linkTo(address);
    await first.ask(keepOf({}), keptSchema);
    if (isLeft) first.close();
    const patches: Patch[] = [];
    const follower = await linkTo(address, { onPatches: (more) => patches.push(...more) });
    const question = { do: "find" as const, ids: ["c-before-1"], batch: null, same: null };
    await follower.ask(question, foundSchema);
    if (isLeft) await service.waitFor(({ generating }) => generating > 0);
    const other = await linkTo(address);
    other.send({ do: "release", completions: ["c-before-1"], batches: [], loads: [] });
    await expect.poll(() => patches.at(-1)?.status).toBe("interrupted");
    expect(patches.at(-1)?.error).toMatchObject({ code: "STREAM_INTERRUPTED", retryable: true });
    await running;
  });

  it("stops a completion that it runs", async () => {
    const { client } = await talker(FOREVER, { tokensPerSecond: 50 });
    const address = await newAddress();
    const running = keeperAt(address, client);
    const first = await linkTo(address);
    await first.ask(keepOf({}), keptSchema);
    first.close();
    const second = await linkTo(address);
    const question = { do: "find" as const, ids: ["c-before-1"], batch: null, same: null };
    const status = async () =>
      (await second.ask(question, foundSchema)).completions[0]?.state.status;
    await expect.poll(status).toBe("running");
    second.send({ do: "cancel", completion: "c-before-1" });
    await expect.poll(status).toBe("cancelled");
    second.send({ do: "release", completions: ["c-before-1"], batches: [], loads: [] });
    await running;
  });
});

describe("a server", () => {
  it("sends nothing to a listener that does not know the secret", async () => {
    const address = await newAddress();
    await ensureSecret(address);
    const received: string[] = [];
    const impostor = createServer((socket) => {
      createInterface({ input: socket }).on("line", (line) => {
        received.push(line);
        socket.write(`${JSON.stringify({ protocol: PROTOCOL, nonce: "1", proof: newNonce() })}\n`);
      });
    });
    impostor.listen(address.socket);
    onTestFinished(() => void impostor.close());
    await once(impostor, "listening");
    expect(await Link.connect(address, HANDLERS)).toBe("other");
    expect(received).toHaveLength(1);
    expect(JSON.parse(String(received[0]))).toEqual({
      protocol: PROTOCOL,
      nonce: expect.any(String),
    });
  });

  it.each(["It", "It is a", ""])(
    "loses no text that directly follows its reply: %j",
    async (text) => {
      const { client } = await talker(ANSWER);
      const address = await newAddress();
      const before = toWire(stateOf({ text }));
      const more = toWire(stateOf({ text: `${text} was` }));
      const whole = toWire(stateOf({ text: `${text} was so.`, status: "completed", endedAt: 1 }));
      const found = {
        completions: [{ state: before, key: null, isRegenerated: false }],
        batches: [],
      };
      await scriptedKeeper(address, ({ do: what, n }, send) => {
        const first = { patches: [patchOf(more, before)] };
        if (what === "find")
          send({ reply: n, value: found }, first, { patches: [patchOf(whole, more)] });
      });
      const start = () => Promise.resolve();
      const keeping = new Keeping({
        client,
        address,
        settings: SETTINGS,
        start,
        log: silentLogger,
      });
      onTestFinished(() => keeping.close());
      await keeping.find([before.id]);
      const { status, text: all } = await client.completions.wait(before.id, { withinMs: 5000 });
      expect({ status, all }).toEqual({ status: "completed", all: `${text} was so.` });
    },
  );

  it("uses a keeper whose answers arrived while it stood still itself", async () => {
    const address = await newAddress();
    const serve: Parameters<typeof scriptedKeeper>[1] = ({ n }, send) => {
      send({ reply: n, value: { holds: 7 } });
      standStill(5500);
    };
    await scriptedKeeper(address, serve, () => standStill(3500));
    const { client } = await talker(ANSWER);
    const start = async (): Promise<void> => {};
    const keeping = new Keeping({ client, address, settings: SETTINGS, start, log: silentLogger });
    onTestFinished(() => keeping.close());
    expect(await keeping.holds()).toBe(7);
  });

  it("keeps its connection after a search for an id that is too long, or for many", async () => {
    const { client: keepers } = await talker(FOREVER, { tokensPerSecond: 50 });
    const address = await newAddress();
    const running = keeperAt(address, keepers);
    const first = await linkTo(address);
    await first.ask(keepOf({}), keptSchema);
    first.close();
    const { client } = await talker(ANSWER);
    const start = () => Promise.resolve();
    const keeping = new Keeping({ client, address, settings: SETTINGS, start, log: silentLogger });
    onTestFinished(() => keeping.close());
    const id = "c-before-1";
    await keeping.find([id]);
    await keeping.findBatch("b".repeat(101));
    await keeping.find(Array.from({ length: 101 }, (_, index) => `c-other-${index}`));
    expect(client.completions.get(id).error).toBeNull();
    await keeping.answered({ promised: [], delivered: [id] });
    await running;
  });

  it("asks the service for a load that the keeper holds no longer", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const facts = { percent: null, elapsedMs: 10, news: null, warnings: [], error: null };
    const replies = [{ ...facts, status: "loading", model: "talker" }, null];
    await scriptedKeeper(address, ({ do: what, n }, send) => {
      if (what === "load") send({ reply: n, value: replies.shift() });
    });
    const start = () => Promise.resolve();
    const keeping = new Keeping({ client, address, settings: SETTINGS, start, log: silentLogger });
    onTestFinished(() => keeping.close());
    const { signal } = new AbortController();
    const heard: string[] = [];
    const onState = ({ status }: LoadState) => heard.push(status);
    expect(await keeping.load("talker", {}, { withinMs: 10_000, signal, onState })).toBeNull();
    expect(heard).toEqual(["loading"]);
    expect(replies).toEqual([]);
  });

  it.each([
    ["the keeper is lost", {}],
    ["the keeper does not understand the question", { reply: 2, value: "what?" }],
  ])("keeps the last state of a load where %s", async (_what, last) => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const facts = { percent: null, elapsedMs: 10, news: null, warnings: [], error: null };
    const first = { status: "loading", model: "talker", ...facts };
    await scriptedKeeper(address, ({ n }, send) => {
      // A message that is none ends the connection.
      if (n === 1) send({ reply: n, value: first });
      else send(last);
    });
    const start = () => Promise.resolve();
    const keeping = new Keeping({ client, address, settings: SETTINGS, start, log: silentLogger });
    onTestFinished(() => keeping.close());
    const { signal } = new AbortController();
    const waiting = { withinMs: 10_000, signal, onState: () => {} };
    expect(await keeping.load("talker", {}, waiting)).toMatchObject(first);
  });

  it("does not ask for the load of a call that was cancelled", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const facts = { percent: null, elapsedMs: 10, news: null, warnings: [], error: null };
    const first = { status: "loading", model: "talker", ...facts };
    const asked: (string | undefined)[] = [];
    await scriptedKeeper(address, ({ do: what, n }, send) => {
      asked.push(what);
      send({ reply: n, value: first });
    });
    const start = () => Promise.resolve();
    const keeping = new Keeping({ client, address, settings: SETTINGS, start, log: silentLogger });
    onTestFinished(() => keeping.close());
    const call = new AbortController();
    const onState = () => call.abort();
    const waiting = { withinMs: 10_000, signal: call.signal, onState };
    expect(await keeping.load("talker", {}, waiting)).toMatchObject(first);
    expect(asked).toEqual(["load"]);
  });

  it("keeps no reply of the keeper for the rest of the connection", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const running = keeperAt(address, client);
    const link = await linkTo(address);
    await link.ask(keepOf({ status: "completed", endedAt: 1 }), keptSchema);
    const ask = async () =>
      new WeakRef(await link.ask({ do: "find", ids: [], batch: null, same: null }, foundSchema));
    const reply = await ask();
    await setImmediate();
    onTestFinished(() => setFlagsFromString("--no-expose-gc"));
    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
    expect(reply.deref()).toBeUndefined();
    // The connection itself was not collected.
    expect(await link.holds()).toBe(1);
    link.send({ do: "release", completions: ["c-before-1"], batches: [], loads: [] });
    await running;
  });

  it("hands over through another connection what is promised while the first one closes", async () => {
    const { client } = await talker(FOREVER, { tokensPerSecond: 50 });
    const address = await newAddress();
    const kept: unknown[] = [];
    await scriptedKeeper(address, (message, send) => {
      // The second message is none, so that the server closes the connection.
      if (message.do === "status") send({ reply: message.n, value: { holds: 0 } }, {});
      else if (message.do === "keep") {
        kept.push(message);
        send({ reply: message.n, value: { isKept: true } });
      }
    });
    const start = () => Promise.resolve();
    const keeping = new Keeping({ client, address, settings: SETTINGS, start, log: silentLogger });
    onTestFinished(() => keeping.close());
    const { id } = client.completions.start({ prompt: "Hi" }).state;
    expect(await keeping.holds()).toBe(0);
    await keeping.answered({ promised: [id], delivered: [] });
    expect(kept).toMatchObject([{ completions: [{ state: { id } }] }]);
  });

  it("releases a result of a batch when its rest has been returned", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const released: unknown[] = [];
    await scriptedKeeper(address, (message, send) => {
      if (message.do === "release") released.push(message);
      else send({ reply: message.n, value: { isKept: true } });
    });
    const start = () => Promise.resolve();
    const keeping = new Keeping({ client, address, settings: SETTINGS, start, log: silentLogger });
    onTestFinished(() => keeping.close());
    const batch = client.batches.start([{ prompt: "One" }, { prompt: "Two" }]);
    const { signal } = new AbortController();
    await batch.wait({ withinMs: 10_000, signal, isEnough: () => false });
    const [cut = ""] = batch.pending;
    batch.take(0);
    await keeping.answeredBatch(batch);
    await keeping.answered({ promised: [cut], delivered: [] });
    batch.take(1);
    await keeping.answeredBatch(batch);
    await keeping.answered({ promised: [], delivered: [cut] });
    await expect
      .poll(() => released)
      .toMatchObject([{ batches: [batch.id] }, { completions: [cut] }]);
  });

  it("hands over again what has ended, where the keeper ends before its reply", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const kept: Message[] = [];
    await scriptedKeeper(address, (message, send) => {
      kept.push(message);
      // The first reply is none, so that the server closes the connection.
      if (kept.length % 2 === 1) send({});
      else send({ reply: message.n, value: { isKept: true } });
    });
    const start = () => Promise.resolve();
    const keeping = new Keeping({ client, address, settings: SETTINGS, start, log: silentLogger });
    onTestFinished(() => keeping.close());
    const { id } = client.completions.start({ prompt: "Hi" }).state;
    await client.completions.wait(id);
    await keeping.answered({ promised: [id], delivered: [] });
    const completions = [{ state: { id, text: ANSWER.text } }];
    expect(kept).toMatchObject([{ completions }, { completions }]);

    const batch = client.batches.start([{ prompt: "One" }]);
    const { signal } = new AbortController();
    await batch.wait({ withinMs: 10_000, signal, isEnough: () => false });
    await keeping.answeredBatch(batch);
    const batches = [{ id: batch.id }];
    expect(kept.slice(2)).toMatchObject([{ batches }, { batches }]);
  });

  it("rejects its questions when the keeper ends, and after that", async () => {
    const { client } = await talker(ANSWER);
    const address = await newAddress();
    const running = keeperAt(address, client);
    const link = await linkTo(address);
    const asked = link.holds();
    link.close();
    await expect(asked).rejects.toThrow("the keeper has ended");
    await link.closed;
    await expect(link.holds()).rejects.toThrow("the keeper has ended");
    await running;
  });

  it("creates the secret again where its file is incomplete", async () => {
    const address = await newAddress();
    await ensureSecret(address);
    await writeFile(join(address.directory, "secret"), "half");
    expect(await ensureSecret(address)).toHaveLength(64);
  });
});
