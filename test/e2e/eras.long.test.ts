import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { describe, expect, onTestFinished, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { environmentWith, MAIN } from "./executable.js";
import { expectStopsWhatIsCancelled } from "./sdk2.js";
import { ANSWER, ENDLESS, PROMPT_ANSWER, simulated } from "./simulated.js";
import { WireHost } from "./wire-host.js";

const MODERN = "2026-07-28";
const MODES = [
  ["legacy", "legacy"],
  ["auto", "modern"],
  [{ pin: MODERN }, "modern"],
] as const;

/** The client of the SDK's second major version, on a server of its own. */
async function connected(mode: (typeof MODES)[number][0]) {
  const { url } = await simulated();
  const client = new Client({ name: "e2e", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [MAIN],
      env: environmentWith({ FOUNDRY_ENDPOINT: url, FOUNDRY_LOG_LEVEL: "warn" }),
      stderr: "inherit",
    }),
  );
  onTestFinished(() => client.close());
  return client;
}

const complete = (given: object) => ({ name: "complete", arguments: { ...given } });
const QUICK = complete({ prompt: "Hello", model: PROMPT_ANSWER });
const SLOW = { prompt: "Go on.", model: ENDLESS, max_tokens: 80 };

describe.each(MODES)("the client of SDK 2 in mode %j", (mode, era) => {
  test("is served in the protocol era that it requests: tools, progress, results and errors", async () => {
    const client = await connected(mode);
    expect(client.getProtocolEra()).toBe(era);
    expect(client.getServerVersion()).toMatchObject({ version: manifest.version });
    expect(client.getInstructions()).toContain("complete");

    const { tools } = await client.listTools();
    const progress: number[] = [];
    const answer = await client.callTool(QUICK, {
      onprogress: (update) => progress.push(update.progress),
    });
    expect(tools).toHaveLength(9);
    expect(answer.structuredContent).toMatchObject({ text: ANSWER });
    expect(progress.length).toBeGreaterThan(0);

    const failed = await client.callTool(complete({ prompt: "Hello", model: "there-is-none" }));
    expect(failed).toMatchObject({ isError: true });
    await expect(client.callTool({ name: "nope", arguments: {} })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining('There is no tool "nope"'),
    });
    const uri = "foundry://completions/c-zzzzzz-1";
    await expect(client.readResource({ uri })).rejects.toMatchObject({ code: -32602 });
  });

  test("stops a completion that it cancels", async () => {
    const client = await connected(mode);
    await expectStopsWhatIsCancelled(client);
  });
});

test.for([
  ["runs", { ...SLOW, reply_within: 0 }, /^On and on/],
  ["has ended", { prompt: "Hello", model: PROMPT_ANSWER }, ANSWER],
] as const)(
  "a modern host that listens for a completion that %s gets updates until its end",
  async ([, given, text]) => {
    const client = await connected("auto");
    const { structuredContent } = await client.callTool(complete(given));
    const uri = `foundry://completions/${Object(structuredContent).completion_id}`;
    const ended = new Promise<string>((resolve) => {
      client.setNotificationHandler("notifications/resources/updated", async ({ params }) => {
        expect(params.uri).toBe(uri);
        const { contents } = await client.readResource({ uri }, { cacheMode: "bypass" });
        const [text, state] = contents.map((content) => ("text" in content ? content.text : ""));
        if (JSON.parse(state ?? "").status === "completed") resolve(text ?? "");
      });
    });

    await client.listen({ resourceSubscriptions: [uri] });
    await client.callTool(QUICK);

    expect(await ended).toMatch(text);
  },
);

/** The `_meta` of each request of the modern era. */
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": MODERN,
  "io.modelcontextprotocol/clientInfo": { name: "wire-host", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

describe("a host without a handshake", () => {
  test("gets modern results, with their kind and their lifetime", async () => {
    const host = WireHost.open();
    const discovered = await host.request("server/discover", { _meta: ENVELOPE });
    const listed = await host.request("tools/list", { _meta: ENVELOPE });
    const read = await host.request("resources/list", { _meta: ENVELOPE });

    expect(discovered.result).toMatchObject({
      supportedVersions: [MODERN],
      capabilities: { tools: {}, resources: { subscribe: true }, prompts: {}, completions: {} },
      instructions: expect.stringContaining("complete"),
    });
    expect(listed.result).toMatchObject({
      resultType: "complete",
      ttlMs: expect.any(Number),
      cacheScope: "public",
    });
    expect(read.result).toMatchObject({ resultType: "complete", ttlMs: 0, cacheScope: "private" });
  });

  test("gets an error when it requests an unsupported version", async () => {
    const host = WireHost.open();
    const { error } = await host.request("tools/list", {
      _meta: { ...ENVELOPE, "io.modelcontextprotocol/protocolVersion": "2031-01-01" },
    });
    expect(error).toMatchObject({ code: -32022 });
  });

  test("of the older era is served although it declares no version", async () => {
    const host = WireHost.open();
    const { result } = await host.request("tools/list");
    expect(result).not.toHaveProperty("resultType");
  });
});
