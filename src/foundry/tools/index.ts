export { ANSWER_TOOL, CallReader, callPieces, ForcedCall } from "./call-reader.js";
export type { CallPiece, ToolCall, ToolChoice, ToolDefinition } from "./tool.js";
export { loadToolbox, parametersOf, type Toolbox, toolboxFor } from "./toolbox.js";
