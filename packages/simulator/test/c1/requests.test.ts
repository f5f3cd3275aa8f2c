import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { dataOf, get, jsonOf } from "../ask.js";
import { bytesOf } from "../bytes.js";
import { chat, core1, errorOf, post, TALKER } from "./ask.js";

const START = '{"model":"talker","messages":[{"role":"user","content":"Hi"}]';

const OPEN =
  "Expected depth to be zero at the end of the JSON payload. There is an open JSON object or array that should be closed. Path: $ | LineNumber: 0 | BytePositionInLine: 1.";

function notConverted(type: string, name: string, before: string): string {
  return `The JSON value could not be converted to System.Nullable\`1[System.${type}]. Path: $.${name} | LineNumber: 0 | BytePositionInLine: ${before.length}.`;
}

describe("a body that C1 cannot read", () => {
  it.each([
    ["{", OPEN],
    [
      '{"model":"x",\n "n" 1}',
      "'1' is invalid after a property name. Expected a ':'. Path: $.n | LineNumber: 1 | BytePositionInLine: 5.",
    ],
    [
      "[1,]",
      "The JSON array contains a trailing comma at the end which is not supported in this mode. Change the reader options. Path: $[1] | LineNumber: 0 | BytePositionInLine: 3.",
    ],
    [
      "<html>",
      "'<' is an invalid start of a value. Path: $ | LineNumber: 0 | BytePositionInLine: 0.",
    ],
    [
      "{} {}",
      "'{' is invalid after a single JSON value. Expected end of data. Path: $ | LineNumber: 0 | BytePositionInLine: 3.",
    ],
    [`${START},"n":2.5}`, notConverted("Int32", "n", `${START},"n":2.5`)],
    [`${START},"top_p":true}`, notConverted("Single", "top_p", `${START},"top_p":true`)],
  ])("%s is a 500 that says where", async (body, reason) => {
    await using simulator = await core1();
    const answer = await post(simulator, "/v1/chat/completions", body);
    expect(answer.status).toBe(500);
    expect(errorOf(answer)).toBe(`Invalid OpenAI JSON request: ${reason}`);
  });

  it("because it is nested too deeply is a 500 as well", async () => {
    await using simulator = await core1();
    const answer = await post(simulator, "/v1/chat/completions", "[".repeat(50_000));
    expect(errorOf(answer)).toContain("The maximum configured depth of 64 has been exceeded.");
  });
});

describe("a path of C1", () => {
  it.each(["/Models/Loaded", "/models/loaded/", "/models/loaded?x=1", "/models/%6Coaded"])(
    "%s is found",
    async (path) => {
      await using simulator = await core1();
      expect(jsonOf(await get(simulator.url, path))).toEqual([TALKER.id]);
    },
  );

  it("that takes another method says which, and the connection goes on behind the body", async () => {
    await using simulator = await core1();
    const text = await bytesOf(
      simulator.port,
      "POST /status HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /" +
        "GET /status HTTP/1.1\r\nConnection: close\r\n\r\n",
    );
    expect(text).toMatch(/^HTTP\/1\.1 405 Method Not Allowed\r\n.*Allow: GET\r\n/s);
    expect(text).toMatch(/HTTP\/1\.1 200 OK\r\n.*Connection: close\r\n/s);
    expect(text).toContain('"modelDirPath"');
  });
});

describe("responses of C1", () => {
  const asked = { model: TALKER.id, input: "Hi", max_output_tokens: 3 };

  it("are kept when they should be, until they are deleted", async () => {
    await using simulator = await core1();
    const made = jsonOf(await post(simulator, "/v1/responses", { ...asked, store: true }));
    const { id } = Object(made);
    expect(made).toMatchObject({ id: expect.stringMatching(/^resp_[0-9a-f]{32}$/), store: true });
    expect(jsonOf(await get(simulator.url, `/v1/responses/${id}`))).toEqual(made);
    expect(jsonOf(await get(simulator.url, `/v1/responses/${id}/input_items`))).toMatchObject({
      data: [{ role: "user", content: "Hi" }],
    });
    expect(jsonOf(await post(simulator, `/v1/responses/${id}/cancel`, {}))).toEqual(made);
    const remove = `DELETE /v1/responses/${id} HTTP/1.1\r\nConnection: close\r\n\r\n`;
    expect(await bytesOf(simulator.port, remove)).toContain('"deleted":true');
    expect((await get(simulator.url, `/v1/responses/${id}`)).status).toBe(404);
  });

  it("that fail are a 200 with the status failed", async () => {
    await using simulator = await core1();
    const nope = { ...asked, model: "nope:1" };
    const answer = await post(simulator, "/v1/responses", nope);
    expect(answer.status).toBe(200);
    expect(jsonOf(answer)).toMatchObject({
      status: "failed",
      error: { message: expect.stringContaining("is not loaded") },
    });
    const events = dataOf(await post(simulator, "/v1/responses", { ...nope, stream: true }));
    expect(events.at(-2)).toMatchObject({ type: "response.failed" });
  });

  it("come in chunks of 1024 characters, wherever these cut an event", async () => {
    await using simulator = await core1();
    const { chunks } = await post(simulator, "/v1/responses", { ...asked, stream: true });
    expect(new Set(chunks.slice(0, -1).map(({ length }) => length))).toEqual(new Set([1024]));
    expect(chunks.join("")).toMatch(/\n\ndata: \[DONE\]\n\n$/);
  });
});

describe("the model cache of C1", () => {
  it("is where it says, and holds the catalog and the folders", async () => {
    const modelCachePath = mkdtempSync(join(tmpdir(), "foundry-local-mcp-c1-"));
    onTestFinished(() => rmSync(modelCachePath, { recursive: true, force: true }));
    const gone = { id: "gone-generic-cpu:2", downloaded: false };
    await using simulator = await core1({ models: [TALKER, gone], modelCachePath });

    const status = jsonOf(await get(simulator.url, "/status"));

    expect(status).toMatchObject({ modelDirPath: modelCachePath });
    const file = readFileSync(join(modelCachePath, "foundry.modelinfo.json"), "utf8");
    expect(JSON.parse(file).models[1]).toMatchObject({ id: gone.id, alias: "gone" });
    expect(file).not.toContain("intProperties");
    const folder = join(modelCachePath, "Microsoft", "gone-generic-cpu-2", "v2");
    expect(existsSync(folder)).toBe(false);
    simulator.setDownloaded(gone.id, true);
    expect(existsSync(folder)).toBe(true);
  });
});

describe("an embedding of C1", () => {
  it("is asked of a chat model once only", async () => {
    await using simulator = await core1();
    const answer = await post(simulator, "/v1/embeddings", { model: TALKER.id, input: "x" });
    expect(answer.status).toBeUndefined();
    expect(simulator.listening).toBe(false);
    const loadedBefore = [...simulator.loaded];
    await simulator.start();
    expect(simulator.loaded).toEqual([]);
    for (const id of loadedBefore) simulator.setLoaded(id, true);
    expect((await chat(simulator)).status).toBe(200);
  });
});
