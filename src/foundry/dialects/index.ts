/** @internal Its module needs the schema library, which the published types do without. */
export { leftOutWarning } from "./answers.js";
export { withSystemText } from "./chat-messages.js";
export { detectDialect } from "./detect.js";
export {
  type Call,
  type ChatMessage,
  type ChatStream,
  DIALECT_NAMES,
  type Dialect,
  type DialectName,
  type DownloadCall,
  type Embeddings,
  type FinishReason,
  type LoadSettings,
  type MessageCall,
  type MessageImage,
  type ModelList,
  type TokenCounts,
  unsupported,
} from "./dialect.js";
export { isLoading, ofOtherEngine } from "./failures.js";
export { openaiDialect } from "./openai.js";
export { type Overflow, overflowOf } from "./overflow.js";
export { sanitizeMessage } from "./sanitize-message.js";
