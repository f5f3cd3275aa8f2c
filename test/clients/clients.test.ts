import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Simulator, startSimulator } from "foundry-local-simulator";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PROMPT_LISTINGS } from "../../src/mcp/prompts.js";
import { CannotRunHere } from "../installed.js";
import LISTED from "../mcp/tools-list.json" with { type: "json" };
import { removeFolder } from "../temporary-folder.js";
import { CLIENTS } from "./clients.js";
import { type HostRow, shownOf, writeHosts } from "./hosts-page.js";
import { installed, runClient } from "./run-client.js";

const QUICK = "quick-generic-cpu:1";
const SLOW = "slow-generic-cpu:1";
const ANSWER = "Hello from a tiny model.";
const END = "The end.";
const STEPS = Array.from({ length: 80 }, (_, index) => `Step ${index + 1}. `);
/**
 * The long answer takes 8 s, and limits above 5 s are scaled down to less than that. With
 * `CLIENTS_UNSCALED` it takes 90 s at the clients' own limits, which takes a quarter of an hour in all.
 */
const IS_UNSCALED = process.env["CLIENTS_UNSCALED"] !== undefined;
const TOKENS_PER_SECOND = IS_UNSCALED ? 0.9 : 10;
const LONGEST_OWN_S = 5;
const SCALED_S = 6;
const SCALED_SETTINGS = { FOUNDRY_REPLY_WITHIN: "4.5" };

const CALLS = [
  ["complete", { prompt: "Say hello.", model: QUICK }],
  ["complete_batch", { prompts: ["one", "two"], model: QUICK }],
  ["complete", { prompt: "Say hello.", model: "gpt-9" }],
  ["complete", { prompt: "Write a long story.", model: SLOW }],
] as const;

let simulator: Simulator;
const rows: HostRow[] = [];

beforeAll(async () => {
  simulator = await startSimulator({
    models: [
      { id: QUICK, script: { text: ANSWER }, loaded: true },
      {
        id: SLOW,
        script: { tokens: [...STEPS, END] },
        tokensPerSecond: TOKENS_PER_SECOND,
        loaded: true,
      },
    ],
  });
});
afterAll(() => simulator.close());
afterAll(() => writeHosts(rows));

test.concurrent.for(CLIENTS)(
  "$name shows its model all that was answered",
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
    const [short = "", batch = "", failure = "", ...long] = shown;
    const whole = long.join("\n");

    // Some frameworks offer their model the prompts as tools, too.
    const prompts = new Set(PROMPT_LISTINGS.map((prompt) => prompt.name));
    expect(tools.filter((tool) => !prompts.has(tool)).toSorted()).toEqual(
      LISTED.map(({ name }) => name).toSorted(),
    );
    expect(short).toContain(ANSWER);
    expect(batch.split(ANSWER).length - 1).toBeGreaterThanOrEqual(2);
    expect(failure).toContain("MODEL_NOT_FOUND");
    expect(long.at(-1)).toContain(END);
    expect(STEPS.filter((step) => !whole.includes(step.trim()))).toEqual([]);
    rows.push({ client, protocol, clientName, shown: shownOf(short, ANSWER) });
  },
);
