import { DIALECTS, type SimulatorOptions, startSimulator } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { clientOf, simulate } from "./fixtures.js";

const MODEL = "talker-generic-cpu:1";

describe.each(DIALECTS)("through the client, as %s", (dialect) => {
  const start = async (options: SimulatorOptions) => {
    const models = [{ id: MODEL, loaded: true }];
    const { url } = await simulate({ dialect, models, ...options });
    return clientOf(url, { retry: { retries: 0 } });
  };

  it("a scripted answer is the completion of its prompt", async () => {
    const client = await start({
      answers: [
        { match: "weather", reply: "Sunny in Zürich." },
        { match: /json/i, json: { days: 2 } },
      ],
    });
    const weather = await client.complete({ prompt: "The Weather?", model: MODEL });
    const json = await client.complete({ prompt: "As JSON", model: MODEL });
    const other = await client.complete({ prompt: "Hello", model: MODEL });
    expect(weather).toMatchObject({ status: "completed", text: "Sunny in Zürich." });
    expect(JSON.parse(json.text)).toEqual({ days: 2 });
    expect(other.text).toContain("simulated");
  });

  it("a scripted answer needs no model to be named", async () => {
    const simulator = await startSimulator({ dialect, answers: [{ reply: "Sunny." }] });
    onTestFinished(() => simulator.close());
    const completion = await clientOf(simulator.url).complete({ prompt: "The weather?" });
    expect(completion).toMatchObject({ status: "completed", text: "Sunny." });
  });

  it("a scripted error equals the error of a real service", async () => {
    const client = await start({
      answers: [
        { match: "busy", error: { status: 503, message: "overloaded" } },
        { error: { status: 400, message: "the prompt is refused" } },
      ],
    });
    const ask = (prompt: string) => client.complete({ prompt, model: MODEL });
    await expect(ask("busy")).rejects.toMatchObject({ code: "SERVICE_BUSY" });
    await expect(ask("Hello")).rejects.toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringContaining("the prompt is refused"),
    });
  });
});
