import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Logger, silentLogger } from "../../src/log.js";
import { createServer } from "../../src/mcp/server.js";
import { clientOf } from "../foundry/fixtures.js";
import { backendOf } from "./backend.js";
import { simulatedService } from "./host.js";

const MODEL = "quiet-generic-cpu:1";

/** A host, and the lines above debug of its server. */
async function hostWithLog() {
  const service = await simulatedService({
    models: [{ id: MODEL, loaded: true, script: { text: "Hello." } }],
  });
  const lines: Record<string, unknown>[] = [];
  const writer = (level: string) => (fields: object, msg: string) =>
    void lines.push({ ...fields, level, msg });
  const log: Logger = {
    ...silentLogger,
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
  };
  const client = clientOf(service.url, { log });
  // So that the lines about the service come before.
  await client.listModels();
  const settings = { FOUNDRY_MODEL: MODEL };
  const server = createServer({ backend: backendOf({ client, log, settings }), isOnly: true });
  const host = new Client({ name: "a-host", version: "1" });
  const [hostSide, serverSide] = InMemoryTransport.createLinkedPair();
  await Promise.all([server.connect(serverSide), host.connect(hostSide)]);
  onTestFinished(() => host.close());
  lines.length = 0;
  const call = async (name: string, given: object = {}) => {
    const answer = await host.callTool({ name, arguments: { ...given } });
    return Object(answer.structuredContent);
  };
  return { call, lines, service };
}

describe("the log of a server", () => {
  it("begins with the host, the transport and the settings", async () => {
    const { call, lines } = await hostWithLog();
    await call("list_models");
    await call("list_models");
    expect(lines[0]).toEqual({
      level: "info",
      msg: "serving",
      version: expect.stringMatching(/^\d+\./),
      era: "legacy",
      client: "a-host",
      settings: { FOUNDRY_MODEL: MODEL },
    });
    expect(lines.filter(({ msg }) => msg === "serving")).toHaveLength(1);
  });

  it("has one line for a completion, with its id, model, tokens and times", async () => {
    const { call, lines, service } = await hostWithLog();
    const { completion_id: id } = await call("complete", { prompt: "A secret", model: MODEL });
    const chat = service.requests.find(({ path }) => path === "/v1/chat/completions");
    expect(lines.slice(1)).toEqual([
      {
        level: "info",
        msg: "tool answered",
        call: id,
        tool: "complete",
        ms: expect.any(Number),
        model: MODEL,
        status: "completed",
        usage: expect.objectContaining({ output_tokens: expect.any(Number) }),
      },
    ]);
    expect(chat?.headers["x-request-id"]).toBe(id);
  });

  it.each([
    ["list_models", {}],
    ["health_check", {}],
    ["load_model", { model: MODEL }],
    ["unload_model", { model: MODEL }],
    ["get_completion", {}],
    ["complete_batch", { prompts: ["one", "two", "three"], model: MODEL }],
  ])("has one line for %s", async (name, given) => {
    const { call, lines } = await hostWithLog();
    await call(name, given);
    expect(lines.slice(1)).toMatchObject([
      { level: "info", msg: "tool answered", tool: name, call: expect.any(String) },
    ]);
  });

  it("has one line at info for a failed call, and a warning about its completion", async () => {
    const { call, lines } = await hostWithLog();
    await call("complete", { prompt: "A secret", model: "there-is-none" });
    await call("complete", { prompt: "A secret", temperature: 9 });
    expect(lines.slice(1)).toMatchObject([
      { level: "warn", msg: "completion failed", code: "MODEL_NOT_FOUND" },
      { level: "info", msg: "tool failed", tool: "complete", code: "MODEL_NOT_FOUND" },
      { level: "info", msg: "tool failed", tool: "complete", code: "INVALID_ARGUMENT" },
    ]);
    expect(lines[1]?.["call"]).toBe(lines[2]?.["call"]);
    expect(JSON.stringify(lines)).not.toContain("secret");
  });
});
