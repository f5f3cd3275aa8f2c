import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { get, jsonOf } from "../ask.js";
import { bytesOf } from "../bytes.js";
import { core1, errorOf, post, TALKER } from "./ask.js";

describe("a body that C1 cannot read", () => {
  it.each(["{", "<html>", "[".repeat(50_000), '{"messages":"Hi"}'])(
    "is a 500 with that reason: %.20s",
    async (body) => {
      await using simulator = await core1();
      const answer = await post(simulator, "/v1/chat/completions", body);
      expect(answer.status).toBe(500);
      expect(errorOf(answer)).toMatch(/^Invalid OpenAI JSON request: /);
    },
  );
});

describe("a path of C1", () => {
  it.each(["/Models/Loaded", "/models/loaded/", "/models/loaded?x=1", "/models/%6Coaded"])(
    "%s is found",
    async (path) => {
      await using simulator = await core1();
      expect(jsonOf(await get(simulator.url, path))).toEqual([TALKER.id]);
    },
  );

  it("that takes another method names it, and the connection stays usable", async () => {
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

describe("the model cache of C1", () => {
  it("is in the reported directory, with the catalog and the model folders", async () => {
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
