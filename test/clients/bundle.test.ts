import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { startSimulator } from "foundry-local-simulator";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import manifest from "../../package.json" with { type: "json" };
import { mcpbPacker, writeBundleFolder } from "../../scripts/distribution/bundle.js";
import { BUNDLE_FILE } from "../../scripts/distribution/bundle-manifest.js";
import { PROMPT_LISTINGS } from "../../src/mcp/prompts.js";
import { startBundle } from "../e2e/bundle.js";
import { lastLineOf } from "../installed.js";
import LISTED from "../mcp/tools-list.json" with { type: "json" };
import { temporaryFolder } from "../temporary-folder.js";

const writtenManifest = z.object({
  version: z.string(),
  tools: z.array(z.object({ name: z.string() })),
  prompts: z.array(z.object({ name: z.string() })),
  compatibility: z.object({ platforms: z.array(z.string()) }),
  user_config: z.record(z.string(), z.object({ sensitive: z.boolean().default(false) })),
  server: z.object({
    entry_point: z.string(),
    mcp_config: z.object({
      args: z.array(z.string()),
      env: z.record(z.string(), z.string()),
    }),
  }),
});

test("the bundle for Claude Desktop is valid, and its server answers after it was packed and unpacked", async ({
  skip,
}) => {
  const folder = await temporaryFolder("foundry-local-mcp bündle-");
  const mcpb = await mcpbPacker().catch((error: unknown) => lastLineOf(error));
  if (typeof mcpb === "string") return skip(`@anthropic-ai/mcpb could not be installed: ${mcpb}`);
  const [source, unpacked] = [join(folder, "source"), join(folder, "unpacked")];
  const simulator = await startSimulator({
    models: [{ id: "tiny:1", script: { text: "Hello from a tiny model." } }],
  });
  onTestFinished(() => simulator.close());

  await writeBundleFolder(source);
  expect(await mcpb("validate", source)).toContain("Manifest schema validation passes");
  await mcpb("pack", source, join(folder, BUNDLE_FILE));
  await mcpb("unpack", join(folder, BUNDLE_FILE), unpacked);
  const { user_config, server, ...about } = writtenManifest.parse(
    JSON.parse(await readFile(join(unpacked, "manifest.json"), "utf8")),
  );
  // The user has filled in the address, and nothing else.
  const client = await startBundle(unpacked, server.mcp_config, { endpoint: simulator.url });
  const answer = await client.callTool({ name: "complete", arguments: { prompt: "Hello" } });

  expect(answer.structuredContent).toMatchObject({ text: "Hello from a tiny model." });
  expect(BUNDLE_FILE).toBe(`foundry-local-mcp-${manifest.version}.mcpb`);
  expect(about.version).toBe(manifest.version);
  expect(about.compatibility.platforms).toEqual(["darwin", "win32", "linux"]);
  expect(about.tools.map(({ name }) => name)).toEqual(LISTED.map(({ name }) => name));
  expect(about.prompts.map(({ name }) => name)).toEqual(PROMPT_LISTINGS.map(({ name }) => name));
  expect(Object.keys(user_config)).toEqual(["model", "endpoint", "api_key", "folders"]);
  expect(user_config["api_key"]?.sensitive).toBe(true);
  expect(await readdir(unpacked)).toEqual(expect.arrayContaining(["icon.png", "LICENSE"]));
});
