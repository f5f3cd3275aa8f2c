export { callPieces } from "./call-pieces.js";
export { CallReader } from "./call-reader.js";
export { ANSWER_TOOL, ForcedCall } from "./forced-call.js";
export type { CallPiece, ToolCall, ToolChoice, ToolDefinition } from "./tool.js";
export { loadToolbox, parametersOf, type Toolbox, toolboxFor } from "./toolbox.js";
