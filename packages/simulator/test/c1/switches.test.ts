import { describe, expect, it } from "vitest";
import { dataOf, get, jsonOf } from "../ask.js";
import { chat, core1, errorOf, TALKER } from "./ask.js";

const MUTE = {
  status: 200,
  chunks: [],
  connection: "closed by the service before the end of its answer",
};

describe("C1 of another revision", () => {
  it("has no /status", async () => {
    await using simulator = await core1({ switches: { statusRoute: false } });
    expect(await get(simulator.url, "/status")).toMatchObject({ status: 404, chunks: [] });
    expect(jsonOf(await get(simulator.url, "/models/loaded"))).toEqual([TALKER.id]);
  });

  it("lists what is loaded, by id", async () => {
    await using simulator = await core1({
      models: [TALKER, { id: "idle-generic-cpu:1" }],
      switches: { modelList: "loaded", listedIds: "id" },
    });
    expect(jsonOf(await get(simulator.url, "/v1/models"))).toMatchObject({
      data: [{ id: TALKER.id, parent: "talker" }],
    });
    expect((await get(simulator.url, `/v1/models/${TALKER.id}`)).status).toBe(200);
  });

  it("takes ids alone", async () => {
    await using simulator = await core1({ switches: { shortNames: "refused" } });
    expect((await get(simulator.url, "/models/load/talker")).status).toBe(500);
    expect(errorOf(await chat(simulator, { model: "talker" }))).toContain("is not loaded");
    expect((await chat(simulator)).status).toBe(200);
  });

  it("is mute when a stream is asked of an alias", async () => {
    await using simulator = await core1({ switches: { shortNamesInStreams: "mute" } });
    expect(await chat(simulator, { model: "talker", stream: true })).toMatchObject(MUTE);
    expect((await chat(simulator, { model: "talker" })).status).toBe(200);
  });

  it("ends a stream that cannot begin in order, but empty", async () => {
    const asked = { model: "nope:1", stream: true };
    await using cuts = await core1();
    expect(await chat(cuts, asked)).toMatchObject(MUTE);
    await using ends = await core1({ switches: { muteStream: "empty" } });
    const answer = await chat(ends, asked);
    expect(answer).toMatchObject({ status: 200, chunks: [] });
    expect(answer.connection).toBeUndefined();
  });

  it("tells a failure in the middle of a stream, and ends without [DONE]", async () => {
    await using simulator = await core1({
      models: [{ ...TALKER, script: { text: "one two three", failAfterTokens: 2 } }],
      switches: { midStreamFailure: "error_event" },
    });
    const answer = await chat(simulator, { stream: true, max_tokens: 9 });
    expect(answer.connection).toBeUndefined();
    expect(dataOf(answer)).toEqual([
      expect.anything(),
      expect.anything(),
      { error: { message: expect.stringContaining("Non-zero status"), type: "server_error" } },
    ]);
  });

  it("sends no finish_reason in streams", async () => {
    await using simulator = await core1({ switches: { finishReason: "missing" } });
    const answer = await chat(simulator, { stream: true });
    expect(answer.chunks.join("")).not.toContain("finish_reason");
    expect(answer.chunks.at(-1)).toBe("data: [DONE]\n\n");
  });

  it("reserves 2048 tokens for an answer without a limit", async () => {
    const models = [{ ...TALKER, contextLength: 512 }];
    await using fits = await core1({ models });
    expect((await chat(fits, { max_tokens: null })).status).toBe(200);
    await using reserves = await core1({ models, switches: { defaultBudget: "reserved" } });
    expect(errorOf(await chat(reserves, { max_tokens: null }))).toMatch(
      /requires \d+ total tokens \(\d+ input \+ 2048 output\), which exceeds .* 512 tokens/,
    );
  });

  it("dies of a long prompt", async () => {
    await using simulator = await core1({ switches: { deadlyPromptBytes: 20_000 } });
    const messages = (length: number) => [{ role: "user", content: "x".repeat(length) }];
    expect((await chat(simulator, { messages: messages(20_000) })).status).toBe(200);
    const answer = await chat(simulator, { messages: messages(20_001), stream: true });
    expect(answer.status).toBeUndefined();
    expect(simulator.listening).toBe(false);
  });

  it("knows no model while its catalog is out of reach, and chats on", async () => {
    await using simulator = await core1({ switches: { catalogAccess: "unreachable" } });
    const list = await get(simulator.url, "/v1/models");
    expect(list.status).toBe(500);
    expect(errorOf(list)).toMatch(/^Failed to retrieve model list: Catalog request failed across/);
    for (const verb of ["load", "unload"]) {
      const answer = await get(simulator.url, `/models/${verb}/talker`);
      expect(answer).toMatchObject({ status: 500, chunks: [] });
    }
    expect((await get(simulator.url, "/status")).status).toBe(200);
    expect((await chat(simulator)).status).toBe(200);
  });
});
