import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SimulatorOptions } from "foundry-local-simulator";
import { describe, expect, it, onTestFinished } from "vitest";
import { FoundryClient, type FoundryClientOptions } from "../src/jobs/index.js";
import { FoundryError } from "../src/lib/index.js";
import { TOOLS } from "../src/mcp/tools/index.js";
import { resultInServerWords, SETTING_OF_OPTION, serverWords } from "../src/server-words.js";
import { SETTINGS } from "../src/settings.js";
import { clientOf, deadUrl, simulate } from "./foundry/fixtures.js";
import { temporaryFolder } from "./temporary-folder.js";

const TOOL_NAMES = TOOLS.map(({ name }) => name).filter((name) => name.includes("_"));
const SERVER_NAMES = new RegExp(`\\b(?:FOUNDRY_\\w+|${TOOL_NAMES.join("|")})\\b`);
/** A method or an option as the library names it. */
const LIBRARY_NAMES = /the option `\w+`|`(?:\w+\.)?[a-z]+[A-Z]\w+`|`completions\.\w+`/;

describe("the words of the server", () => {
  it.each([
    ["Load it with `loadModel`, then try again.", "Load it with load_model, then try again."],
    ["Choose one that `listModels` shows.", "Choose one that list_models shows."],
    ["`listModels` lists all models.", 'list_models with filter "all" lists all models.'],
    ["Set the option `apiKey` to the key.", "Set FOUNDRY_API_KEY to the key."],
    [
      "Read its results in the loop over `completeBatch`.",
      "Give it to complete_batch as batch_id: alone to go on, with cancel to stop it.",
    ],
    [
      "Make a new `FoundryClient` for further calls.",
      "This server is ending. Its host has to start it again before another call.",
    ],
    ["The option `model` is wrong.", "The option `model` is wrong."],
    ["Call `completions.list` for all.", "Call get_completion without ids for all."],
    ["Ask for fewer `maxTokens`.", "Ask for fewer max_tokens."],
    ["Raise the option `maxTokens`.", "Raise FOUNDRY_MAX_TOKENS."],
    ["Run `foundry model download phi-4-mini`.", "Run `foundry model download phi-4-mini`."],
    [
      "The model said `constructor` and the option `x`.",
      "The model said `constructor` and the option `x`.",
    ],
  ])("say %j as %j", (ours, theirs) => {
    expect(serverWords(ours)).toBe(theirs);
  });

  it("replace all texts of a result except a model's own, and omit null", () => {
    const text = "Call `loadModel`.";
    const said = "Call load_model.";
    expect(
      resultInServerWords({
        text,
        reasoning: text,
        n: 1,
        none: null,
        notes: [text],
        results: [{ text, model: null, error: { message: text } }],
      }),
    ).toEqual({
      text,
      reasoning: text,
      n: 1,
      notes: [said],
      results: [{ text, error: { message: said } }],
    });
  });

  it("have a setting for each option", () => {
    for (const setting of SETTING_OF_OPTION.values()) expect(SETTINGS).toHaveProperty(setting);
    const named = Object.fromEntries(
      [...SETTING_OF_OPTION.keys()].map((name) => [name, undefined]),
    );
    // A client refuses unknown options.
    expect(() => new FoundryClient(named)).not.toThrow();
  });
});

/** A call that fails with a code. */
type Failing = readonly [
  code: string,
  service: SimulatorOptions | null,
  call: (client: FoundryClient) => Promise<unknown>,
];

const TALKER = { id: "talker-generic-cpu:1", alias: "talker", loaded: true };
const FAILING: readonly Failing[] = [
  ["SERVICE_UNREACHABLE", null, (client) => client.listModels()],
  ["INVALID_ARGUMENT", {}, (client) => client.complete({})],
  ["MODEL_NOT_FOUND", { models: [TALKER] }, (client) => client.loadModel("talkre")],
  [
    "MODEL_NOT_CACHED",
    { models: [{ ...TALKER, loaded: false, downloaded: false }] },
    (client) => client.complete({ prompt: "Hi", model: "talker" }),
  ],
  [
    "MODEL_NOT_CACHED",
    { models: [{ ...TALKER, loaded: false, downloaded: false }] },
    (client) => client.complete({ prompt: "Hi" }),
  ],
  [
    "MODEL_CANNOT_CHAT",
    { models: [{ ...TALKER, task: "embeddings" }] },
    (client) => client.complete({ prompt: "Hi", model: "talker" }),
  ],
  [
    "TIMEOUT",
    { models: [TALKER], firstTokenMs: 600_000 },
    (client) => client.complete({ prompt: "Hi" }),
  ],
  [
    "TIMEOUT",
    { models: [{ ...TALKER, loaded: false, loadMs: 600_000 }] },
    (client) => client.loadModel("talker"),
  ],
  [
    "QUEUE_FULL",
    { models: [TALKER], firstTokenMs: 600_000 },
    (client) => Promise.all([1, 2].map((n) => client.complete({ prompt: `Say ${n}.` }))),
  ],
  ["COMPLETION_NOT_FOUND", {}, async (client) => client.completions.get("c-x")],
  ["UNAUTHORIZED", { dialect: "openai", apiKey: "k" }, (client) => client.listModels()],
  ["UNSUPPORTED_BY_SERVER", { dialect: "openai" }, (client) => client.loadModel("phi-4-mini")],
  ["CANCELLED", {}, (client) => client.listModels({ signal: AbortSignal.abort() })],
];

const LITTLE: FoundryClientOptions = { concurrency: 1, queueLimit: 0 };

describe("the errors of the library", () => {
  it.each(FAILING)("%s names no tool and no setting of the server", async (code, service, call) => {
    const url = service === null ? await deadUrl() : (await simulate(service)).url;
    const client = clientOf(url, {
      ...(code === "TIMEOUT" ? { stallTimeoutMs: 200, loadTimeoutMs: 200 } : {}),
      ...(code === "QUEUE_FULL" ? LITTLE : {}),
    });
    const error = await call(client).catch((thrown: unknown) => thrown);
    if (!(error instanceof FoundryError)) throw new Error("It did not fail.");
    expect(error.code).toBe(code);
    expect(`${error.message} ${error.action}`).not.toMatch(SERVER_NAMES);
    expect(serverWords(`${error.message} ${error.action}`)).not.toMatch(LIBRARY_NAMES);
  });

  it("NO_ENDPOINT names no setting of the server", async () => {
    const home = await temporaryFolder("no-endpoint-");
    for (const platform of ["linux", "darwin", "win32"] as const) {
      const machine = { platform, arch: "x64", environment: { PATH: home }, home } as const;
      const client = new FoundryClient({ embedded: false }, machine);
      onTestFinished(() => client.close());
      const error = await client.listModels().catch((thrown: unknown) => thrown);
      if (!(error instanceof FoundryError)) throw new Error("It did not fail.");
      expect(error.action).toContain("the option `endpoint`");
      expect(error.action).not.toMatch(SERVER_NAMES);
      expect(serverWords(error.action)).toContain("set FOUNDRY_ENDPOINT to");
    }
  });
});

const source = fileURLToPath(new URL("../src/", import.meta.url));

/** The lines of code of a layer, without comments, each with its file. */
function linesOf(layer: string): string[] {
  return readdirSync(join(source, layer), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .flatMap((path) =>
      readFileSync(join(source, layer, path), "utf8")
        .split("\n")
        .filter((line) => !/^\s*(?:\*|\/\*|\/\/)/.test(line))
        .map((line) => `${layer}/${path}: ${line.trim().replaceAll("\\`", "`")}`),
    );
}

describe.each(["lib", "platform", "http", "foundry", "jobs"])("the texts of %s", (layer) => {
  it("name no tool and no setting of the server", () => {
    const quoting = linesOf(layer).filter((line) => /["'`]/.test(line));
    expect(quoting.filter((line) => SERVER_NAMES.test(line))).toEqual([]);
  });
});

describe.each(["http", "foundry", "jobs"])("the texts of %s", (layer) => {
  it("name no method and no option without a translation for the server", () => {
    expect(linesOf(layer).filter((line) => LIBRARY_NAMES.test(serverWords(line)))).toEqual([]);
  });
});
