/** The purpose of each model of a target. */
export const ROLES = [
  "ends",
  "forever",
  "smallContext",
  "failsMidway",
  "cannotLoad",
  "embeds",
  "firstVersion",
  "secondVersion",
  "slow",
  "slowLoad",
  "thinks",
  "callsTool",
  "plainId",
  "notCached",
] as const;
export type Role = (typeof ROLES)[number];

export interface TargetModel {
  readonly id: string;
  /** The id without its version. */
  readonly name: string;
  readonly alias: string;
}

/** The abilities in which services differ. */
export interface Abilities {
  /** Load and unload models, and say which are loaded and downloaded. */
  readonly load: boolean;
  /** Load a version by its id while a newer one has the same alias. */
  readonly loadOlderVersion: boolean;
  /** Stop generating when the caller has left a stream. */
  readonly stopWhenLeft: boolean;
  /** Report a failure of the model in a stream, instead of just ending it. */
  readonly nameFailures: boolean;
  /** Report the number of tokens of a streamed answer. */
  readonly countTokens: boolean;
  /** Report the thinking of a model. */
  readonly tellThoughts: boolean;
  /** Report that no load is running. */
  readonly tellBusy: boolean;
  /** Enforce a JSON Schema for an answer, whatever the model would generate. */
  readonly holdToSchema: boolean;
  /** Pass the result of a tool to the model, instead of dropping it. */
  readonly takeToolResults: boolean;
  /** Run a `callsTool` that understands the result of a tool in a text of the user. */
  readonly readResultsInText: boolean;
  /** Know the task of a model. */
  readonly tellTasks: boolean;
}

/** A service that the main job is done on. */
export interface Target {
  readonly dialect: "S" | "C1" | "C2" | "openai";
  readonly endpoint: string;
  readonly models: Readonly<Record<Role, TargetModel>>;
  readonly can: Abilities;
  close(): Promise<void>;
}

/** The texts of the models, on any service. */
export const TEXTS = {
  ends: "Hello from a tiny model, which says this.",
  forever:
    "The sea rises, a gull cries; waves fall back over grey sand. Then wind turns and it begins again:\n",
  thought: "Two and two make four.",
  afterThought: "It is 4!",
  afterTool: "The weather is fine.",
  firstVersion: "First version.",
  secondVersion: "Second version!",
} as const;

/** The tool of `callsTool`, which calls it for Zürich. */
export const WEATHER = {
  question: "What is the weather in Zürich?",
  tool: {
    type: "function",
    function: {
      name: "get_weather",
      description: "The weather in a city.",
      parameters: {
        type: "object",
        properties: { city: { type: "string" } },
        required: ["city"],
      },
    },
  },
  result: "Sunny, 21 degrees, a light wind from the lake.",
} as const;
