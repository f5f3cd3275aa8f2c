import type { ModelOptions } from "../src/index.js";
import { SERVICE_0_8 } from "./recorded-service-0.8.js";
import type { RecordedService } from "./recording.js";

const JULY = { publisher: "testpub", created: 1_748_779_200 };
const KN = new Array<string>(64).fill(" kn");

const julyModels: readonly ModelOptions[] = [
  {
    ...JULY,
    id: "babble-generic-cpu:2",
    contextLength: 8192,
    loaded: true,
    script: { tokens: ["ise", ...KN] },
  },
  { ...JULY, id: "babble-generic-cpu:1" },
  {
    ...JULY,
    id: "broken-model-generic-cpu:1",
    loadError:
      "Load model from /home/user/.foundry/cache/models/testpub/broken-model-generic-cpu-1/past.onnx failed:Protobuf parsing failed.",
  },
  { ...JULY, id: "broken-nofile-generic-cpu:1" },
  {
    ...JULY,
    id: "fails-midway-generic-cpu:1",
    script: {
      tokens: ["ise", ...KN],
      failAfterTokens: 26,
      failure:
        "Non-zero status code returned while running EmbedLayerNormalization node. Name:'EmbedLayerNormalization_0' Status Message: input index out of range",
    },
  },
  { id: "my-local-model:0", publisher: "system", created: 0 },
  { ...JULY, id: "phi-notcached-generic-cpu:3", downloaded: false },
  { ...JULY, id: "short-answers-generic-cpu:1", script: { tokens: [] } },
  { ...JULY, id: "small-context-generic-cpu:1" },
  { ...JULY, id: "tiny-embed-generic-cpu:1", task: "embeddings" },
  { ...JULY, id: "tiny-random-gpt2-fp32:1" },
];

/** The models of test/real/make_models.py. */
const MADE = { tokenizer: "bytes", publisher: "Example", created: 1 } as const;
const SENTENCE = "Hello| from| a| tiny| model|,| which| says| this|.".split("|");
const SEA =
  "The| sea| rises|,| a| gull| cries|;| waves| fall| back| over| grey| sand|.| Then| wind| turns| and| it| begins| again|:|\n".split(
    "|",
  );
const THOUGHT = "<think>|\n|Two| and| two| make| four|.|\n\n|</think>|It| is| 4|!".split("|");
const TOOL_CALL =
  '<tool_call>|[{"name":| "get_weather",| "parameters":| {"city":| "Zürich"}}]|</tool_call>'.split(
    "|",
  );

const TOOL_ANSWER = "The| weather| is| fine|.".split("|");

/** `own`: in no catalog, so found as a folder by 2.0 and registered from 2.1 on. */
function madeModels(registers: boolean): readonly ModelOptions[] {
  const own = (model: ModelOptions, alias: string): ModelOptions =>
    registers
      ? { ...model, alias, family: "local" }
      : { ...model, alias: model.id.split(":")[0] ?? "", publisher: "system", created: 0 };
  return [
    { ...MADE, id: "tiny-talk-generic-cpu:1", script: { tokens: SENTENCE } },
    {
      ...MADE,
      id: "Endless-Talk-instruct-generic-cpu:4",
      alias: "endless-talk",
      script: { tokens: SEA, forever: true },
    },
    {
      ...MADE,
      id: "small-context-generic-cpu:1",
      contextLength: 512,
      script: { tokens: SEA, forever: true },
    },
    own(
      {
        ...MADE,
        id: "fails-midway-generic-cpu:1",
        script: {
          tokens: [...SEA, " ..."],
          failAfterTokens: SEA.length + 1,
          failure:
            "Non-zero status code returned while running Gather node. Name:'' Status Message: indices element out of data bounds, idx=279 must be within the inclusive range [-279,278]",
        },
      },
      "fails-midway",
    ),
    {
      ...MADE,
      id: "broken-file-generic-cpu:1",
      loadError:
        "Load model from /home/user/.foundry/cache/models/Example/broken-file-generic-cpu-1/v1/model.onnx failed:Protobuf parsing failed.",
    },
    {
      ...MADE,
      id: "tiny-embed-0.6b-generic-cpu:1",
      task: "embeddings",
      script: { tokens: SENTENCE },
    },
    { ...MADE, id: "two-versions-generic-cpu:1", script: { tokens: ["First", " version", "."] } },
    { ...MADE, id: "two-versions-generic-cpu:2", script: { tokens: ["Second", " version", "!"] } },
    own(
      {
        ...MADE,
        id: "slow-talk-generic-cpu:1",
        tokensPerSecond: 10,
        firstTokenMs: 600,
        script: { tokens: SEA, forever: true },
      },
      "slow-talk",
    ),
    { ...MADE, id: "slow-load-generic-cpu:3", loadMs: 1500, script: { tokens: SENTENCE } },
    {
      ...MADE,
      id: "thinks-first-generic-cpu:1",
      reasoningMarkers: { start: "<think>", end: "</think>" },
      script: { tokens: THOUGHT },
    },
    {
      ...MADE,
      id: "calls-tool-generic-cpu:1",
      toolCalling: true,
      script: ({ messages }) => ({
        tokens: messages.at(-1)?.role === "tool" ? TOOL_ANSWER : TOOL_CALL,
      }),
    },
    own({ ...MADE, id: "My_Own.Talker:7", script: { tokens: SENTENCE } }, "My_Own.Talker"),
    { ...MADE, id: "not-here-generic-cpu:2", downloaded: false },
  ];
}

/** In the order in which that service found their folders. */
const CORE_1_FOUND = [
  "calls-tool",
  "two-versions-generic-cpu:1",
  "broken-file",
  "slow-talk",
  "tiny-talk",
  "Endless-Talk",
  "tiny-embed",
  "fails-midway",
  "My_Own",
  "two-versions-generic-cpu:2",
  "slow-load",
  "small-context",
  "thinks-first",
  "not-here",
];

/** The same as 1.2.4 knows them: a model in no catalog has its name as alias, and no publisher. */
function core1Models(): readonly ModelOptions[] {
  const created = Date.parse("2026-06-01T00:00:00Z") / 1000;
  const models = madeModels(false).map((model) => ({
    ...model,
    ...(model.publisher === "system" ? { publisher: "" } : { created }),
    // When its client disconnects, it finishes the current token; an unload before that crashes it.
    ...(model.firstTokenMs !== undefined && { firstTokenMs: 200 }),
  }));
  return CORE_1_FOUND.flatMap((start) => models.filter(({ id }) => id.startsWith(start)));
}

/** The simulator does not imitate the messages of the services' JSON parsers. */
const PARSED = "the message of the parser";
const UNREADABLE = {
  "chat-bad-json": PARSED,
  "chat-empty-object": PARSED,
  "chat-no-messages": PARSED,
};

const CLOSING = "the port closes a moment later: reset or refused is a race, on the real one too";

const LOADED_ORDER = "one of two versions stands elsewhere than among the models, by no rule seen";

export const RECORDED_SERVICES: readonly RecordedService[] = [
  {
    file: "foundry-core-2.json",
    options: { version: "2.0.0", models: julyModels },
    onlyShape: UNREADABLE,
  },
  {
    file: "core-2-oldest.json",
    options: { version: "2.0.1", models: madeModels(false) },
    onlyShape: { ...UNREADABLE, "status-after-shutdown": CLOSING },
  },
  {
    file: "core-2-newest.json",
    options: { version: "2.2.1", models: madeModels(true) },
    onlyShape: {
      ...UNREADABLE,
      "tool-call": "prompt_tokens counts what the service adds to a prompt with tools",
      "status-after-shutdown": CLOSING,
      "chat-json-object": "a constrained model writes other JSON than a script",
    },
  },
  {
    file: "core-1.json",
    options: { dialect: "C1", models: core1Models() },
    onlyShape: {
      ...UNREADABLE,
      "chat-empty-body": PARSED,
    },
    anyOrder: {
      "loaded-during-load": LOADED_ORDER,
      "loaded-after-load": LOADED_ORDER,
      "loaded-after-left-load": LOADED_ORDER,
    },
  },
  ...SERVICE_0_8,
];
