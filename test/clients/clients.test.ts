import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Simulator } from "foundry-local-simulator";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PROMPT_LISTINGS } from "../../src/mcp/prompts.js";
import { CannotRunHere } from "../installed.js";
import LISTED from "../mcp/tools-list.json" with { type: "json" };
import { removeFolder } from "../temporary-folder.js";
import { CLIENTS } from "./clients.js";
import { type ClientRow, shownOf, writeClients } from "./hosts-page.js";
import { installed, runClient } from "./run-client.js";
import { ANSWER, CALLS, END, expectAllShown, SCALED_SETTINGS, startModels } from "./scenario.js";

/**
 * The long answer takes 8 s, and limits above 5 s are scaled down to less than that. With
 * `CLIENTS_UNSCALED` it takes 90 s at the clients' own limits, which takes a quarter of an hour in all.
 */
const IS_UNSCALED = process.env["CLIENTS_UNSCALED"] !== undefined;
const TOKENS_PER_SECOND = IS_UNSCALED ? 0.9 : 10;
const LONGEST_OWN_S = 5;
const SCALED_S = 6;

let simulator: Simulator;
const rows: ClientRow[] = [];

beforeAll(async () => {
  simulator = await startModels(TOKENS_PER_SECOND);
});
afterAll(() => simulator.close());
afterAll(() => writeClients(rows));

test.concurrent.for(CLIENTS)(
  "$name passes the whole answer to its model",
  async (client, { skip, onTestFinished }) => {
    const parts = await installed(client).catch((error: unknown) => {
      if (error instanceof CannotRunHere) return error.message;
      throw error;
    });
    if (typeof parts === "string") return skip(parts);
    const { limitSeconds: own } = client;
    const isScaled = !IS_UNSCALED && (own ?? Infinity) > LONGEST_OWN_S;
    const folder = await mkdtemp(join(tmpdir(), "client-"));
    onTestFinished(() => removeFolder(folder));
    const { tools, shown, protocol, clientName } = await runClient(client, parts, {
      endpoint: simulator.url,
      calls: CALLS,
      end: END,
      limitSeconds: isScaled && own !== null ? SCALED_S : undefined,
      settings: isScaled ? SCALED_SETTINGS : {},
      folder,
    });
    // Some frameworks offer their model the prompts as tools, too.
    const prompts = new Set(PROMPT_LISTINGS.map((prompt) => prompt.name));
    expect(tools.filter((tool) => !prompts.has(tool)).toSorted()).toEqual(
      LISTED.map(({ name }) => name).toSorted(),
    );
    expectAllShown(shown);
    rows.push({ client, protocol, clientName, shown: shownOf(shown[0] ?? "", ANSWER) });
  },
);
