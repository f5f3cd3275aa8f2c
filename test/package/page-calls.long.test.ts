import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { startSimulator } from "foundry-local-simulator";
import { expect, onTestFinished, test } from "vitest";
import * as z from "zod";
import { environmentWith, MAIN } from "../e2e/executable.js";
import { PNG } from "../foundry/images.js";
import { temporaryFolder } from "../temporary-folder.js";
import { blocksOf, page } from "./markdown.js";

const CALL = /^(\w+) (\{.*\})\n([\s\S]+)$/;

/** The calls in the pages, each with what it returns: its text, or members of its structured result. */
const CALLS = ["README.md", "docs/tools.md"]
  .flatMap((path) => blocksOf(page(path)))
  .filter(({ language }) => language === "text")
  .flatMap(({ text }) => text.split(/\n\n(?=\w+ \{)/))
  .flatMap((each) => {
    const [, name, given, returned] = CALL.exec(each) ?? [];
    return name && given && returned ? [{ name, given, returned }] : [];
  });

const argumentsSchema = z.record(z.string(), z.unknown());
const resultSchema = z.looseObject({
  data: z.unknown().optional(),
  text: z.string().optional(),
  reasoning: z.string().optional(),
  tool_calls: z.array(z.object({ name: z.string(), arguments: argumentsSchema })).optional(),
});

/** The model's answer that leads to this result. */
function answerFor(returned: string) {
  if (!returned.startsWith("{")) return { text: returned.replace(/\n\nNote: [\s\S]*$/, "") };
  const { data, text, reasoning, tool_calls } = resultSchema.parse(JSON.parse(returned));
  if (tool_calls !== undefined) return { toolCalls: tool_calls };
  const thinking = reasoning === undefined ? "" : `<think>${reasoning}</think>`;
  return { text: `${thinking}${text ?? JSON.stringify(data)}` };
}

test("the pages contain calls of these tools", () => {
  const names = CALLS.map(({ name }) => name);
  expect(new Set(names)).toEqual(new Set(["complete", "embed", "ask_documents"]));
});

test.each(CALLS)("$name $given returns the page's result", async ({ name, given, returned }) => {
  const simulator = await startSimulator({
    dialect: "C2",
    // With the catalog, which contains the abilities of the models.
    modelCachePath: await temporaryFolder("models-"),
    models: [
      { id: "talker-generic-cpu:1", loaded: true, script: answerFor(returned) },
      {
        id: "seer-generic-cpu:1",
        task: "vision-language-chat",
        script: answerFor(returned),
      },
      { id: "embedder-generic-cpu:1", task: "embeddings" },
    ],
  });
  onTestFinished(() => simulator.close());
  const folder = await temporaryFolder("readme-calls-");
  await writeFile(join(folder, "garden.md"), "The hedge is high.\n");
  await writeFile(join(folder, "house.md"), "The boiler was serviced in March.\nThe roof leaks.\n");
  await writeFile(join(folder, "roof.png"), Buffer.from(PNG, "base64"));
  const client = new Client({ name: "readme", version: "1" });
  onTestFinished(() => client.close());
  const settings = {
    FOUNDRY_ENDPOINT: simulator.url,
    FOUNDRY_MODEL: "talker-generic-cpu:1",
    FOUNDRY_FILES: folder,
  };
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [MAIN],
      env: environmentWith(settings),
      stderr: "inherit",
    }),
  );

  const answer = await client.callTool({
    name,
    arguments: argumentsSchema.parse(JSON.parse(given)),
  });

  if (returned.startsWith("{")) {
    expect(answer.structuredContent).toMatchObject(JSON.parse(returned));
  } else {
    expect(answer.content).toEqual([{ type: "text", text: returned }]);
  }
});
