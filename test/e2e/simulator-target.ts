import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ModelOptions, type ScriptedAnswer, startSimulator } from "foundry-local-simulator";
import { removeFolder } from "../temporary-folder.js";
import { type Role, type Target, type TargetModel, TEXTS, WEATHER } from "./target.js";

const ends = { text: TEXTS.ends };
const forever = { text: TEXTS.forever, forever: true };

/** The same models as the real services are run with (test/real/make_models.py). */
const MODELS: Readonly<Record<Role, ModelOptions>> = {
  ends: { id: "tiny-talk-generic-cpu:1", script: ends },
  forever: {
    id: "Endless-Talk-instruct-generic-cpu:4",
    alias: "endless-talk",
    script: forever,
  },
  smallContext: {
    id: "small-context-generic-cpu:1",
    contextLength: 512,
    tokenizer: "bytes",
    script: forever,
  },
  failsMidway: {
    id: "fails-midway-generic-cpu:1",
    script: { text: TEXTS.forever, failAfterTokens: 20 },
  },
  cannotLoad: {
    id: "broken-file-generic-cpu:1",
    loadError: "Load model from model.onnx failed:Protobuf parsing failed.",
  },
  embeds: { id: "tiny-embed-0.6b-generic-cpu:1", task: "embeddings" },
  firstVersion: { id: "two-versions-generic-cpu:1", script: { text: TEXTS.firstVersion } },
  secondVersion: { id: "two-versions-generic-cpu:2", script: { text: TEXTS.secondVersion } },
  slow: { id: "slow-talk-generic-cpu:1", tokensPerSecond: 20, script: forever },
  slowLoad: { id: "slow-load-generic-cpu:3", loadMs: 1500, script: ends },
  thinks: {
    id: "thinks-first-generic-cpu:1",
    reasoningMarkers: { start: "<think>", end: "</think>" },
    script: { think: `\n${TEXTS.thought}\n\n`, text: TEXTS.afterThought },
  },
  callsTool: {
    id: "calls-tool-generic-cpu:1",
    tokenizer: "bytes",
    toolMarkers: { start: "<tool_call>", end: "</tool_call>" },
  },
  plainId: { id: "My_Own.Talker:7", script: ends },
  notCached: { id: "not-here-generic-cpu:2", downloaded: false },
};

/** A call of the tool, then a text when its result is there, also as text of the user. */
const ANSWERS: readonly ScriptedAnswer[] = [
  { match: "get_weather (", reply: TEXTS.afterTool },
  { match: WEATHER.question, toolCalls: [{ name: "get_weather", arguments: { city: "Zürich" } }] },
  { match: WEATHER.question, reply: TEXTS.afterTool },
];

/** S, C1, the service of a version of C2, or a plain OpenAI-compatible engine. */
export async function simulatorTarget(
  service:
    | { dialect: "S" }
    | { dialect: "C1" }
    | { dialect: "C2"; version: string }
    | { dialect: "openai" },
): Promise<Target> {
  const modelCachePath = await mkdtemp(join(tmpdir(), "foundry-local-mcp-e2e-"));
  const simulator = await startSimulator({
    ...service,
    models: Object.values(MODELS),
    answers: ANSWERS,
    modelCachePath,
  });
  const { url: endpoint } = simulator;
  const isService = service.dialect === "S";
  const isCore2 = service.dialect === "C2";
  const isBefore21 = service.dialect === "C2" && service.version < "2.1.0";
  const isFoundry = service.dialect !== "openai";
  const modelOf = (role: Role): TargetModel => {
    const found = simulator.models.find(({ id }) => id === MODELS[role].id);
    if (found !== undefined) return found;
    // An engine lists only the models that it serves.
    const { id } = MODELS[role];
    return { id, name: id, alias: id };
  };
  return {
    dialect: service.dialect,
    endpoint,
    models: byRole(modelOf),
    can: {
      load: isFoundry,
      loadOlderVersion: !isCore2,
      stopWhenLeft: !isService && !isBefore21,
      nameFailures: isCore2 || !isFoundry,
      countTokens: !isService,
      tellThoughts: !isBefore21,
      tellBusy: isCore2,
      holdToSchema: false,
      takeToolResults: !isService && !isBefore21,
      readResultsInText: true,
      tellTasks: isFoundry,
    },
    close: async () => {
      await simulator.close();
      await removeFolder(modelCachePath);
    },
  };
}

function byRole(modelOf: (role: Role) => TargetModel): Record<Role, TargetModel> {
  return {
    ends: modelOf("ends"),
    forever: modelOf("forever"),
    smallContext: modelOf("smallContext"),
    failsMidway: modelOf("failsMidway"),
    cannotLoad: modelOf("cannotLoad"),
    embeds: modelOf("embeds"),
    firstVersion: modelOf("firstVersion"),
    secondVersion: modelOf("secondVersion"),
    slow: modelOf("slow"),
    slowLoad: modelOf("slowLoad"),
    thinks: modelOf("thinks"),
    callsTool: modelOf("callsTool"),
    plainId: modelOf("plainId"),
    notCached: modelOf("notCached"),
  };
}
