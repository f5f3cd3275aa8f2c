export {
  framedWhole,
  requestAfter,
  requestWithImages,
  type SourceImage,
  type SourceText,
} from "./document.js";
export { answerLong } from "./long-text.js";
export {
  answerQuestion,
  DEFAULT_SOURCES,
  type DocumentQuestion,
  questionRequest,
} from "./question.js";
export { VectorFolder, Vectors } from "./vectors.js";
