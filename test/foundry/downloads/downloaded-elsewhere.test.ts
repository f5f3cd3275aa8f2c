import { expect, it } from "vitest";
import type { Machine } from "../../../src/platform/machine.js";
import { askedOf, clientOf, roomyMachine, simulate } from "../fixtures.js";
import { MISSING, machine } from "./fixtures.js";

/** A client whose last list does not have the download of another program. */
async function withDownloadElsewhere(dialect: "C2" | "S", figures: Partial<Machine>) {
  const simulator = await simulate({ dialect, models: [MISSING] });
  const { home } = await machine();
  const client = clientOf(simulator.url, {}, { ...roomyMachine(), home, ...figures });
  await client.listModels();
  simulator.setDownloaded(MISSING.id, true);
  return { simulator, client };
}

const THERE = { model: MISSING.id, status: "already_downloaded", warnings: [] };

it("a service that downloads by itself reports that it has the model", async () => {
  const { simulator, client } = await withDownloadElsewhere("S", {});
  expect(await client.service.downloadModel("walker")).toEqual(THERE);
  expect(askedOf(simulator, "/openai/download")).toEqual([]);
});

it("a model that is there already needs no disk, so nothing is tight", async () => {
  const figures = { freeDiskMb: async () => 2700 };
  const { client } = await withDownloadElsewhere("S", figures);
  expect(await client.service.downloadModel("walker")).toEqual(THERE);
});

it.each([
  ["memory", { memory: () => ({ totalMb: 8192, freeMb: 1000, isExact: true }) }],
  ["disk", { freeDiskMb: async () => 1000 }],
])("a model that is there already is not refused for lack of %s", async (_what, figures) => {
  const { client } = await withDownloadElsewhere("C2", figures);
  expect(await client.service.downloadModel("walker")).toEqual(THERE);
});
