import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SpeedMemory, stallLimit } from "../../../src/foundry/speed-memory.js";
import { temporaryFolder } from "../../temporary-folder.js";
import { clientOf, simulate } from "../fixtures.js";

const MODEL = { id: "phi-generic-cpu:1", device: "cpu" };
const speed = (promptTokensPerSecond: number | null) => ({
  tokensPerSecond: null,
  promptTokensPerSecond,
});

describe("the stall limit of a model", () => {
  it.each<[what: string, perSecond: number | null, tokens: number | null, seconds: number]>([
    ["five minutes where no speed is known", null, 100_000, 300],
    ["five minutes where no tokens are known", 10, null, 300],
    ["five minutes for a prompt that is read in a minute", 100, 6000, 300],
    ["four times as long as the prompt is read", 10, 2000, 800],
    ["an hour at most", 1, 1_000_000, 3600],
  ])("is %s", (_what, perSecond, tokens, seconds) => {
    expect(stallLimit(speed(perSecond), tokens)).toBe(seconds * 1000);
  });

  it("is the setting where it is set", async () => {
    const service = await simulate({ models: [{ id: MODEL.id, loaded: true }] });
    service.addFault({ kind: "hang", on: { method: "POST" } });
    const client = clientOf(service.url, { stallTimeoutMs: 1000 });
    const memory = new SpeedMemory({ directory: join(await temporaryFolder("speeds-"), "own") });
    await memory.learn(MODEL, speed(1));
    client.service.speeds = memory;
    const completion = client.complete({ prompt: "word ".repeat(2000) });
    await expect(completion).rejects.toMatchObject({ code: "TIMEOUT" });
  });
});
