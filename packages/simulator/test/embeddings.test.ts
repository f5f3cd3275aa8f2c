import { describe, expect, it, onTestFinished } from "vitest";
import { type SimulatorOptions, startSimulator } from "../src/index.js";

const MODELS = [
  { id: "talker-generic-cpu:1", loaded: true },
  { id: "embedder-generic-cpu:1", loaded: true, task: "embeddings" },
] as const;

async function simulated(dialect: NonNullable<SimulatorOptions["dialect"]>, version?: string) {
  const simulator = await startSimulator({ dialect, models: MODELS, ...(version && { version }) });
  onTestFinished(() => simulator.close());
  const embed = (body: object) =>
    fetch(`${simulator.url}/v1/embeddings`, { method: "POST", body: JSON.stringify(body) });
  return embed;
}

const embedder = "embedder-generic-cpu:1";

describe.each(["C1", "C2", "openai"] as const)("simulated embeddings of %s", (dialect) => {
  it("are vectors of length 1, equal for equal texts and nearer for texts that share words", async () => {
    const embed = await simulated(dialect);

    const answer = await embed({
      model: embedder,
      input: ["a red car", "a red car", "a red bus", "tax law"],
    });

    const { data } = Object(await answer.json());
    const [car = [], same, bus = [], law = []] = data.map(
      ({ embedding }: { embedding: number[] }) => embedding,
    );
    expect(Math.hypot(...car)).toBeCloseTo(1);
    expect(same).toEqual(car);
    expect(dot(car, bus)).toBeGreaterThan(dot(car, law));
  });
});

it("embeddings of a chat model crash C1 and the older C2; other services refuse them", async () => {
  const body = { model: "talker-generic-cpu:1", input: "a" };

  await expect((await simulated("C1"))(body)).rejects.toThrow("fetch failed");
  await expect((await simulated("C2", "2.0.1"))(body)).rejects.toThrow("fetch failed");
  expect((await (await simulated("C2"))(body)).status).toBe(500);
  expect((await (await simulated("openai"))(body)).status).toBe(400);
});

it.each([
  ["C2", { model: embedder, input: [] }, 400, "must not be empty"],
  ["C2", { model: "none:1", input: "a" }, 404, "Model not found"],
  ["C2", { model: embedder, input: [[1, 2]] }, 400, "Invalid JSON"],
  ["C1", { model: "none:1", input: "a" }, 400, "is not loaded"],
  ["openai", { model: "none", input: "a" }, 404, "does not exist"],
  ["S", { model: embedder, input: "a" }, 404, ""],
] as const)("%s answers %j with %d", async (dialect, body, status, words) => {
  const answer = await (await simulated(dialect))(body);

  expect(answer.status).toBe(status);
  expect(await answer.text()).toContain(words);
});

const dot = (one: readonly number[], other: readonly number[]): number =>
  one.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0);
