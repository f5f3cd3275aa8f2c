import { once } from "node:events";
import { connect, createServer } from "node:net";
import { startSimulator } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { keeperHolds } from "../../src/keeper/index.js";
import {
  callAlone,
  MODEL,
  resultsOf,
  TOKENS_PER_SECOND,
  untilGone,
  userWith,
  WHOLE,
} from "./keeper-user.js";
import { WireHost } from "./wire-host.js";

const OTHER = `Something else: ${WHOLE.slice(0, 150)}`;

describe("a promised completion", () => {
  it("continues at an offset where the second generation repeats the first", async () => {
    const user = await userWith({ tokensPerSecond: 5 });
    const host = await WireHost.start(user.settings);
    const begun = await host.answerTo(host.call("complete", { prompt: "Hello", reply_within: 2 }));
    const { completion_id: id, next_from } = Object(begun.result?.["structuredContent"]);
    const from = await firstFrom(host, id, next_from);
    host.endInput();
    await host.ended;
    const { result } = await callAlone(user, "get_completion", {
      completion_ids: [id],
      from,
      reply_within: 60,
    });
    expect(result["completions"]).toMatchObject([{ text: WHOLE.slice(from), from }]);
  });

  it("is joined by an identical call in a later process", async () => {
    const user = await userWith();
    const given = { prompt: "Hello", reply_within: 1 };
    const begun = await callAlone(user, "complete", given, "kill -9");
    const before = user.chats().length;
    const again = await callAlone(user, "complete", { ...given, reply_within: 60 });
    const id = begun.result["completion_id"];
    expect(again.result).toMatchObject({ completion_id: id, joined: true, text: WHOLE });
    expect(user.chats().length).toBeLessThanOrEqual(before + 1);
    await untilGone(user);
  });

  it("is stopped by cancel_completion in a later process", async () => {
    const user = await userWith({
      models: [{ id: MODEL, loaded: true, script: { text: "On and on. ", forever: true } }],
    });
    const begun = await callAlone(user, "complete", {
      prompt: "Hello",
      max_tokens: 2000,
      reply_within: 1,
    });
    const { result } = await callAlone(user, "cancel_completion", {
      completion_id: begun.result["completion_id"],
    });
    expect(result).toMatchObject({ status: "cancelled" });
    await untilGone(user);
  });

  it("is returned from its beginning, with a note, where the second text differs", async () => {
    const user = await userWith({
      models: [{ id: MODEL, loaded: true, script: { text: "On and on. ", forever: true } }],
    });
    const other = await startSimulator({
      models: [{ id: MODEL, loaded: true, script: { text: OTHER } }],
      tokensPerSecond: TOKENS_PER_SECOND,
    });
    onTestFinished(() => other.close());
    const target = { port: Number(new URL(user.service.url).port) };
    const endpoint = await forwarder(target);
    const settings = { ...user.settings, FOUNDRY_ENDPOINT: endpoint };
    const host = await WireHost.start(settings);
    const { result } = await host.answerTo(
      host.call("complete", { prompt: "Hello", reply_within: 2 }),
    );
    const { completion_id: id, next_from } = Object(result?.["structuredContent"]);
    const from = await firstFrom(host, id, next_from);
    target.port = Number(new URL(other.url).port);
    await host.destroy();
    const given = { completion_ids: [id], from, reply_within: 60 };
    const answer = await callAlone({ ...user, settings }, "get_completion", given);
    expect(answer.result).toMatchObject({
      notes: expect.arrayContaining([expect.stringContaining("generated the answer again")]),
      completions: [{ status: "completed", text: OTHER }],
    });
  });
});

/** Where to read on once there is some text: on a busy machine there is none after some seconds. */
async function firstFrom(host: WireHost, id: unknown, begun: number): Promise<number> {
  for (let from = begun; ; ) {
    if (from > 0) return from;
    const more = await host.answerTo(
      host.call("get_completion", { completion_ids: [id], reply_within: 1 }),
    );
    from = Object(more.result?.["structuredContent"]).completions[0].next_from;
  }
}

/** An address that forwards each connection to the current port of the target. */
async function forwarder(target: { readonly port: number }): Promise<string> {
  const server = createServer((socket) => {
    const other = connect(target.port, "127.0.0.1");
    socket.pipe(other).pipe(socket);
    for (const each of [socket, other]) each.on("error", () => {});
    socket.on("close", () => other.destroy());
    other.on("close", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${Object(server.address()).port}`;
}

describe("a completion that was not promised", () => {
  it("ends with its process, also where a keeper runs", async () => {
    const user = await userWith();
    await callAlone(user, "complete", { prompt: "Hello", reply_within: 1 });
    const host = await WireHost.start(user.settings);
    host.call("complete", { prompt: "Another question", reply_within: 60 });
    await user.service.waitFor(({ requests }) =>
      requests.find(({ body }) => JSON.stringify(body).includes("Another question")),
    );
    await host.destroy();
    expect(await keeperHolds(user.address)).toBe(1);
    const asked = user.chats().filter(({ body }) => JSON.stringify(body).includes("Another"));
    expect(asked).toHaveLength(1);
  });

  it("also with FOUNDRY_KEEP=never ends with its process", async () => {
    const user = await userWith();
    const settings = { ...user.settings, FOUNDRY_KEEP: "never" };
    const given = { prompt: "Hello", reply_within: 1 };
    const begun = await callAlone({ ...user, settings }, "complete", given);
    expect(await user.keeperPids()).toEqual([]);
    const { text } = await callAlone(user, "get_completion", {
      completion_ids: [begun.result["completion_id"]],
    });
    expect(text).toContain("COMPLETION_NOT_FOUND");
  });
});

describe("the keeper", () => {
  it("holds a completion of a running server only until the server has delivered it", async () => {
    const user = await userWith();
    const host = await WireHost.start(user.settings);
    const { result } = await host.answerTo(
      host.call("complete", { prompt: "Hello", reply_within: 1 }),
    );
    const { completion_id: id } = Object(result?.["structuredContent"]);
    expect(await keeperHolds(user.address)).toBe(1);
    await host.answerTo(host.call("get_completion", { completion_ids: [id], reply_within: 60 }));
    await untilGone(user);
    expect(user.chats()).toHaveLength(1);
  });

  it("serves the resource of a completion in a later process", async () => {
    const user = await userWith();
    const begun = await callAlone(user, "complete", { prompt: "Hello", reply_within: 1 });
    const host = await WireHost.start(user.settings);
    const uri = `foundry://completions/${String(begun.result["completion_id"])}`;
    const text = async (): Promise<unknown> => {
      const { result } = await host.request("resources/read", { uri });
      return Object(result?.["contents"])[0]?.text;
    };
    await expect.poll(text).toBe(WHOLE);
  });
});

it("a promised batch goes on where its host ends the server while a call waits for it", async () => {
  const user = await userWith({ tokensPerSecond: 100 });
  const host = await WireHost.start(user.settings);
  const prompts = Array.from({ length: 12 }, (_, index) => `Prompt ${index}`);
  const begun = await host.answerTo(host.call("complete_batch", { prompts, reply_within: 0 }));
  const batch_id = String(Object(begun.result).structuredContent.batch_id);
  host.call("complete_batch", { batch_id, reply_within: 60 }, { progressToken: "waits" });
  await host.when("the first result", () =>
    host.progressOf("waits").find(({ message }) => /^[1-9]\d* of 12 done/.test(message)),
  );
  host.endInput();
  await host.ended;

  const results: unknown[] = [];
  for (let calls = 0; calls < 30 && results.length < 12; calls += 1) {
    const answer = await callAlone(user, "complete_batch", { batch_id, reply_within: 5 });
    results.push(...resultsOf(answer));
  }
  expect(results).toHaveLength(12);
  for (const result of results) expect(result).toMatchObject({ text: WHOLE });
});
