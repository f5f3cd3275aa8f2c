import type { Simulator } from "foundry-local-simulator";
import { expect, it } from "vitest";
import { machine } from "./downloads/fixtures.js";
import { clientOf, roomyMachine, simulate } from "./fixtures.js";

const talker = { id: "talker-generic-cpu:1", alias: "talker" };

const pathsOf = ({ requests }: Simulator): string[] =>
  requests.map(({ method, path }) => `${method} ${path}`);

it("a first completion on core 2 that has to load its model takes 8 requests", async () => {
  const simulator = await simulate({ dialect: "C2", models: [talker] });
  await clientOf(simulator.url).complete({ prompt: "Hi", model: "talker" });
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
  const simulator = await simulate({
    dialect: "S",
    models: [{ ...talker, downloaded: false }],
    downloadMs: 10,
  });
  const { home } = await machine();
  const client = clientOf(simulator.url, {}, { ...roomyMachine(), home });
  await client.loadModel("talker", { download: true });
  const paths = pathsOf(simulator);
  expect(paths.length, paths.join("\n")).toBeLessThanOrEqual(10);
});
