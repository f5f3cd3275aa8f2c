import type { Simulator } from "foundry-local-simulator";
import { expect, it, onTestFinished } from "vitest";
import { FoundryClient } from "../../src/jobs/index.js";
import { machine } from "./downloads/fixtures.js";
import { roomyMachine, simulate } from "./fixtures.js";

const talker = { id: "talker-generic-cpu:1", alias: "talker" };

/** The client of the tools, with its queue and its jobs. */
async function clientOf({ url: endpoint }: Simulator): Promise<FoundryClient> {
  const { home } = await machine();
  const client = new FoundryClient({ endpoint }, { ...roomyMachine(), home });
  onTestFinished(() => client.close());
  return client;
}

const pathsOf = ({ requests }: Simulator): string[] =>
  requests.map(({ method, path }) => `${method} ${path}`);

it("a first completion on core 2 that has to load its model takes 8 requests", async () => {
  const simulator = await simulate({ dialect: "C2", models: [talker] });
  const client = await clientOf(simulator);
  await client.complete({ prompt: "Hi", model: "talker" });
  expect(pathsOf(simulator)).toEqual([
    "GET /status",
    "GET /catalogs/local/v1/responses",
    "GET /v1/models",
    "GET /catalogs/local/v1/models",
    "GET /models/loaded",
    "GET /models/load/talker",
    "GET /models/loaded",
    "POST /v1/chat/completions",
  ]);
});

it("a first load on the old service that has to download its model takes 10 requests", async () => {
  const models = [{ ...talker, downloaded: false }];
  const simulator = await simulate({ dialect: "S", models, downloadMs: 10 });
  const { loads } = await clientOf(simulator);
  expect(await loads.wait(loads.start("talker", { download: true }))).toMatchObject({
    status: "loaded",
  });
  // Some of them are concurrent.
  expect(pathsOf(simulator).sort()).toEqual([
    "GET /foundry/list",
    `GET /openai/load/${encodeURIComponent(talker.id)}`,
    "GET /openai/loadedmodels",
    "GET /openai/loadedmodels",
    // For the list, and by the download itself.
    "GET /openai/models",
    "GET /openai/models",
    "GET /openai/status",
    "GET /status",
    "GET /v1/models",
    "POST /openai/download",
  ]);
});

it("a second completion on a loaded model within ten seconds takes one request", async () => {
  const simulator = await simulate({ dialect: "C2", models: [talker] });
  const client = await clientOf(simulator);
  await client.complete({ prompt: "Hi", model: "talker" });
  const before = simulator.requests.length;
  await client.complete({ prompt: "Hi", model: "talker" });
  expect(pathsOf(simulator).slice(before)).toEqual(["POST /v1/chat/completions"]);
});
