export { callPieces } from "./call-pieces.js";
export { ANSWER_TOOL, CallReader, ForcedCall } from "./call-reader.js";
export type { CallPiece, ToolCall, ToolChoice, ToolDefinition } from "./tool.js";
export { checkTools, loadToolbox, parametersOf, type Toolbox } from "./toolbox.js";
