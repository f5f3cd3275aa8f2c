export { requestAfter, type SourceText } from "./document.js";
export { answerLong, type LongRequest } from "./long-text.js";
export {
  answerQuestion,
  DEFAULT_SOURCES,
  type DocumentQuestion,
  questionRequest,
} from "./question.js";
export { splitText, type TextPart } from "./split.js";
export { VectorFolder } from "./vector-folder.js";
export { Vectors } from "./vectors.js";
