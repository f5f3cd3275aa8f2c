import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Simulator } from "foundry-local-simulator";
import { expect, onTestFinished, test } from "vitest";
import { jsonFrom } from "../../src/lib/index.js";
import { temporaryFolder } from "../temporary-folder.js";
import { run, type Settings } from "./executable.js";
import { Host } from "./host.js";
import { simulated } from "./simulated.js";

const MODEL = "talk-generic-cpu:1";
const LONG_PROMPT = "A sentence of a long text. ".repeat(80);

/** A scripted text does not say that it is simulated, so its speed is stored as that of a real model. */
const service = (): Promise<Simulator> =>
  simulated({
    models: [
      {
        id: MODEL,
        alias: "talk",
        loaded: true,
        contextLength: 100_000,
        script: { text: "word ".repeat(60) },
      },
    ],
    // Tokens for four seconds: a busy machine may receive those of a second or two at once, and measures no speed.
    tokensPerSecond: 15,
    firstTokenMs: 300,
  });

async function hostIn(home: string, url: string): Promise<Host> {
  const settings: Settings = { HOME: home, USERPROFILE: home, FOUNDRY_ENDPOINT: url };
  const host = await Host.start(settings);
  onTestFinished(() => host.close());
  return host;
}

test("list_models of a later server contains a speed that an earlier one measured", async () => {
  const { url } = await service();
  const home = await temporaryFolder("home-");
  const first = await hostIn(home, url);
  const before = await first.call("list_models");
  await first.complete({ prompt: LONG_PROMPT });
  await first.close();

  const later = await hostIn(home, url);
  const { text, result } = await later.call("list_models");

  expect(JSON.stringify(before.result)).not.toContain("tokens_per_second");
  expect(result).toMatchObject({ models: [{ id: MODEL, tokens_per_second: expect.any(Number) }] });
  expect(text).toMatch(/\d tokens a second measured/);
});

test("complete reports in advance how long it will read a long prompt", async () => {
  const simulator = await service();
  const home = await temporaryFolder("home-");
  const host = await hostIn(home, simulator.url);
  await host.complete({ prompt: LONG_PROMPT });

  const messages: string[] = [];
  await host.complete(
    { prompt: `Again: ${LONG_PROMPT.repeat(20)}` },
    { onProgress: ({ message }) => messages.push(message) },
  );

  // Nothing was known before the first completion, and the text of this one arrives later.
  const words = messages.filter((message) => message.startsWith("Reading the prompt"));
  expect(words[0]).toMatch(/^Reading the prompt \(estimated: \d+ s\)/);
});

test("the speed of a simulated service is not remembered", async () => {
  // Without a script its text says that it is simulated.
  const models = [{ id: MODEL, alias: "talk", loaded: true }];
  const { url } = await simulated({ models, tokensPerSecond: 200 });
  const home = await temporaryFolder("home-");
  const settings = { HOME: home, USERPROFILE: home, FOUNDRY_ENDPOINT: url };

  const { code } = await run(["bench", "--rounds", "1", "--tokens", "32"], settings);

  expect(code).toBe(0);
  await expect(readFile(join(home, ".foundry-local-mcp", "speeds.json"))).rejects.toThrow("ENOENT");
});

test("bench remembers what it measured", async () => {
  const { url } = await service();
  const home = await temporaryFolder("home-");
  const settings = { HOME: home, USERPROFILE: home, FOUNDRY_ENDPOINT: url };

  const { code } = await run(["bench", "--rounds", "1", "--tokens", "32"], settings);

  const file = jsonFrom(await readFile(join(home, ".foundry-local-mcp", "speeds.json"), "utf8"));
  expect(code).toBe(0);
  expect(file).toMatchObject({
    speeds: [
      {
        model: MODEL,
        tokens_per_second: expect.any(Number),
        prompt_tokens_per_second: expect.any(Number),
      },
    ],
  });
});
