import { expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { httpServer } from "./http-server.js";
import { PROMPT_ANSWER, simulated } from "./simulated.js";
import { WireHost } from "./wire-host.js";

const COMPLETE = { name: "complete", arguments: { prompt: "Hello", model: PROMPT_ANSWER } };
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "new-host", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** The lines of a log at `info` and above. */
const linesIn = (stderr: string): Record<string, unknown>[] =>
  stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line))
    .filter(({ level }) => level >= 30);

/** An endpoint with a key in its address, and another key; no line may contain either. */
async function settings() {
  const { url } = await simulated();
  return { FOUNDRY_ENDPOINT: url, FOUNDRY_API_KEY: "sk-the-key", FOUNDRY_LOG_LEVEL: "info" };
}

test.each([
  ["legacy", "wire-host"],
  ["modern", "new-host"],
])(
  "the log of a server begins with its version, the era %s, its host and its settings",
  async (era, client) => {
    const given = await settings();
    const host = era === "legacy" ? await WireHost.start(given) : WireHost.open(given);
    await host.request("tools/call", { ...COMPLETE, ...(era === "modern" && { _meta: ENVELOPE }) });
    await host.when(
      "the line of the call",
      () => host.stderr.includes("tool answered") || undefined,
    );
    const lines = linesIn(host.stderr);

    expect(lines[0]).toMatchObject({
      msg: "serving",
      version: manifest.version,
      era,
      client,
      settings: { FOUNDRY_ENDPOINT: given.FOUNDRY_ENDPOINT, FOUNDRY_API_KEY: "(hidden)" },
    });
    expect(lines[0]?.["settings"]).not.toHaveProperty("FOUNDRY_MODEL");
    expect(lines.map(({ msg }) => msg)).toEqual(["serving", "service found", "tool answered"]);
    expect(host.stderr).not.toContain("sk-the-key");
  },
);

test("the log of serve --http begins with its address and its settings", async () => {
  const { url: endpoint } = await simulated();
  const { server, url } = await httpServer(endpoint, { FOUNDRY_LOG_LEVEL: "info" });

  expect(linesIn(server.stderr)).toMatchObject([
    { msg: "serving", version: manifest.version, url, settings: { FOUNDRY_ENDPOINT: endpoint } },
  ]);
});
