import { startSimulator } from "foundry-local-simulator";
import { describe, expect, onTestFinished, test } from "vitest";
import { FoundryMachine, INSTALLATIONS } from "./foundry-machine.js";
import { Host } from "./host.js";
import { scriptedAgent, VIEWS } from "./scripted-agent.js";

const ANSWER = "I am here now.";
const MISSING = {
  id: "walker-generic-cpu:1",
  alias: "walker",
  sizeMb: 1,
  downloaded: false,
  script: { text: ANSWER },
};
const PRESENT = { id: "talker-generic-cpu:1", alias: "talker", script: { text: "I was here." } };

interface Situation {
  readonly dialect: "S" | "C1" | "C2";
  readonly generation: "service" | "server" | null;
}

async function hostOn({ dialect, generation }: Situation, models: readonly object[]) {
  const machine = await FoundryMachine.start({
    dialect,
    generation,
    simulator: { models: models.map((model) => ({ ...MISSING, ...model })), downloadMs: 300 },
    switches: { downloadMs: 300 },
  });
  return machine.host({ FOUNDRY_ENDPOINT: machine.simulator.url });
}

describe.each(VIEWS)("an agent that sees the %s, where no model is downloaded", (view) => {
  test.for(INSTALLATIONS)("gets an answer on $dialect with its command line", async (situation) => {
    const host = await hostOn(situation, [MISSING]);
    const outcome = await scriptedAgent(host, { prompt: "Are you there?" }, view);
    expect(outcome).toMatchObject({ isAnswered: true, text: expect.stringContaining(ANSWER) });
    expect(outcome.calls).toContainEqual({
      tool: "load_model",
      given: { model: "walker", download: true },
    });
  });

  test("gets an answer from S without its command line, as S downloads by itself", async () => {
    const host = await hostOn({ dialect: "S", generation: null }, [MISSING]);
    const outcome = await scriptedAgent(host, { prompt: "Are you there?", model: "walker" }, view);
    expect(outcome).toMatchObject({ isAnswered: true, text: expect.stringContaining(ANSWER) });
  });

  test.for(["C1", "C2"] as const)(
    "stops on %s without its command line, with the reason and the command",
    async (dialect) => {
      const host = await hostOn({ dialect, generation: null }, [MISSING]);
      for (const goal of [{ prompt: "Hi" }, { prompt: "Hi", model: "walker" }]) {
        const { isAnswered, text, calls } = await scriptedAgent(host, goal, view);
        expect(isAnswered).toBe(false);
        expect(text).toMatch(/^MODEL_NOT_CACHED: /);
        expect(text).toContain("the command line of Foundry Local was not found");
        expect(text).toContain("`foundry model download walker`");
        expect(calls).toHaveLength(1);
      }
    },
  );

  test("uses a downloaded model where the requested one cannot be downloaded", async () => {
    const host = await hostOn({ dialect: "C2", generation: null }, [
      MISSING,
      { ...PRESENT, downloaded: true },
    ]);
    const outcome = await scriptedAgent(host, { prompt: "Hi", model: "walker" }, view);
    expect(outcome).toMatchObject({
      isAnswered: true,
      text: expect.stringContaining("I was here."),
    });
  });
});

describe.each(VIEWS)("an agent that sees the %s of an OpenAI-compatible engine", (view) => {
  const hostOf = async (models: readonly object[]) => {
    const simulator = await startSimulator({
      dialect: "openai",
      models: models.map((model) => ({ ...PRESENT, ...model })),
    });
    onTestFinished(() => simulator.close());
    const host = await Host.start({ FOUNDRY_ENDPOINT: simulator.url });
    onTestFinished(() => host.close());
    return host;
  };

  test("gets an answer from a model that the engine serves", async () => {
    const outcome = await scriptedAgent(await hostOf([PRESENT]), { prompt: "Hi" }, view);
    expect(outcome).toMatchObject({
      isAnswered: true,
      text: expect.stringContaining("I was here."),
    });
  });

  test("stops where the engine serves no model, without a command of Foundry Local", async () => {
    const { isAnswered, text } = await scriptedAgent(await hostOf([]), { prompt: "Hi" }, view);
    expect(isAnswered).toBe(false);
    expect(text).toMatch(
      /^MODEL_NOT_FOUND: This engine lists no models, and no model was named\.\n/,
    );
    expect(text).toContain("get a model with the tools of the engine");
    expect(text).not.toMatch(/foundry model|load_model/);
  });
});

describe.each(VIEWS)("an agent that sees the %s of a long answer", (view) => {
  test("reads the answer in parts to its end, as each result says", async () => {
    const whole = Array.from({ length: 120 }, (_, at) => `part ${at}`).join(", ");
    const simulator = await startSimulator({
      models: [{ ...PRESENT, loaded: true, script: { text: whole } }],
      tokensPerSecond: 100,
    });
    onTestFinished(() => simulator.close());
    const host = await Host.start({
      FOUNDRY_ENDPOINT: simulator.url,
      FOUNDRY_REPLY_WITHIN: "0.5",
    });
    onTestFinished(() => host.close());

    const outcome = await scriptedAgent(host, { prompt: "Go on.", model: PRESENT.id }, view);

    expect(outcome).toMatchObject({ isAnswered: true, text: whole });
    expect(outcome.calls.length).toBeGreaterThan(1);
    expect(new Set(outcome.calls.slice(1).map(({ tool }) => tool))).toEqual(
      new Set(["get_completion"]),
    );
    expect(simulator.requests.filter(({ path }) => path.endsWith("/completions"))).toHaveLength(1);
  });
});
