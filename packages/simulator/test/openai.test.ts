import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { rawExchange } from "../../../test/real/raw_http.js";
import { startSimulator } from "../src/index.js";
import { chat, contentOf, dataOf, get, jsonOf, MODEL } from "./ask.js";

const TALKER = { id: MODEL, script: { text: "one two three" } };
const OPTIONS = { dialect: "openai", models: [TALKER] } as const;

describe("a plain OpenAI-compatible engine", () => {
  it("serves the models it has, all of them loaded, and has no routes for loading", async () => {
    const models = [TALKER, { id: "other:1", downloaded: false }];
    await using simulator = await startSimulator({ ...OPTIONS, models });
    expect(jsonOf(await get(simulator.url, "/v1/models"))).toMatchObject({
      object: "list",
      data: [{ id: MODEL, object: "model" }],
    });
    expect((await get(simulator.url, `/v1/models/${encodeURIComponent(MODEL)}`)).status).toBe(200);
    for (const path of ["/status", "/models/loaded", "/models/load/talker"]) {
      const answer = await get(simulator.url, path);
      expect(answer.status).toBe(404);
      expect(jsonOf(answer)).toMatchObject({ error: { type: "not_found_error" } });
    }
  });

  it("answers a path that is not percent-encoded", async () => {
    await using simulator = await startSimulator(OPTIONS);
    const answer = await get(simulator.url, "/v1/models/%zz");
    expect(answer.status).toBe(404);
    expect(jsonOf(answer)).toMatchObject({ error: { code: "model_not_found" } });
  });

  it("chats, with the usage at the end of a stream when asked for", async () => {
    await using simulator = await startSimulator(OPTIONS);
    expect(contentOf(await chat(simulator.url))).toBe("one two three");
    const answer = await chat(simulator.url, {
      stream: true,
      max_tokens: 2,
      stream_options: { include_usage: true },
    });
    const events = dataOf(answer);
    expect(events).toHaveLength(6);
    expect(events[1]).toMatchObject({ choices: [{ delta: { content: "one" } }] });
    expect(events[3]).toMatchObject({ choices: [{ finish_reason: "length" }] });
    expect(events[4]).toMatchObject({ choices: [], usage: { completion_tokens: 2 } });
    expect(events[5]).toBe("[DONE]");
  });

  it("requires a key only when one is set", async () => {
    await using simulator = await startSimulator({ ...OPTIONS, apiKey: "secret" });
    const refused = await get(simulator.url, "/v1/models");
    expect(refused.status).toBe(401);
    expect(jsonOf(refused)).toMatchObject({ error: { code: "invalid_api_key" } });
    const headers = { Authorization: "Bearer secret" };
    const request = { method: "GET", path: "/v1/models", headers };
    expect((await rawExchange(simulator.url, request)).status).toBe(200);
  });

  it("reads the body of a refused request, so that the connection stays usable", async () => {
    await using simulator = await startSimulator({ ...OPTIONS, apiKey: "secret" });
    const socket = connect(simulator.port, "127.0.0.1");
    const body = JSON.stringify({ model: MODEL, messages: [{ role: "user", content: "Hi" }] });
    const post = (key: string) =>
      `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    let seen = "";
    socket.setEncoding("utf8").on("data", (text) => {
      seen += text;
    });
    socket.write(post("wrong"));
    await expect.poll(() => seen).toContain("invalid_api_key");
    socket.write(post("secret"));
    await expect.poll(() => seen).toContain("one two three");
    socket.destroy();
    expect(simulator.requests.map(({ status }) => status)).toEqual([401, 200]);
  });

  it("reports what is wrong with a request", async () => {
    await using simulator = await startSimulator(OPTIONS);
    const unknown = await chat(simulator.url, { model: "nope" });
    expect(unknown.status).toBe(404);
    expect(jsonOf(unknown)).toMatchObject({ error: { code: "model_not_found" } });
    const tooLong = await chat(simulator.url, { max_tokens: 5000 });
    expect(tooLong.status).toBe(400);
    expect(jsonOf(tooLong)).toMatchObject({ error: { code: "context_length_exceeded" } });
    const wrong = await chat(simulator.url, { temperature: "hot" });
    expect(wrong.status).toBe(400);
    expect(JSON.stringify(jsonOf(wrong))).toContain("temperature");
  });
});
