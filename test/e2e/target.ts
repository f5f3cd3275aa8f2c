/** What each model of a target is there for. */
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

/** Where services differ in what they can do at all. */
export interface Abilities {
  /** Load and unload models, and say which are loaded and downloaded. */
  readonly load: boolean;
  /** Load a version by its id while a newer one has the same alias. */
  readonly loadOlderVersion: boolean;
  /** Stop generating when the caller has left a stream. */
  readonly stopWhenLeft: boolean;
  /** Say in a stream that the model failed, rather than just end it. */
  readonly nameFailures: boolean;
  /** Tell how many tokens a streamed answer has. */
  readonly countTokens: boolean;
  /** Tell what a model thought. */
  readonly tellThoughts: boolean;
  /** Show from outside that nothing is being loaded. */
  readonly tellBusy: boolean;
  /** Hold an answer to a JSON Schema, whatever the model would write. */
  readonly holdToSchema: boolean;
  /** Give the result of a tool to the model, rather than drop it. */
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

/** What the models write, whichever service runs them. */
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

/** What `callsTool` is asked. It calls the tool of this name for Zürich. */
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
