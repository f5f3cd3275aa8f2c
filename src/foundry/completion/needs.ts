import type { ChatMessage } from "../dialects/index.js";
import type { RequestNeeds } from "../models/index.js";
import type { CompletionRequest } from "./completion.js";
import { promptTokens } from "./prompt-size.js";

/** Of a text, so much is searched for words about code. */
const SEARCHED = 16_384;

const LANGUAGES =
  "TypeScript|JavaScript|Python|Java|Kotlin|Rust|C\\+\\+|C#|SQL|Bash|PowerShell|HTML|CSS|regex(?:p|es)?|regular expressions?";
const THINGS = `code|functions?|unit tests?|stack ?traces?|${LANGUAGES}`;
const WORK =
  "write|implement|create|generate|fix|debug|refactor|review|explain|optimi[sz]e|port|translate|convert|complete|add";
const ABOUT_CODE = new RegExp(
  `^(?:\`\`\`|~~~|diff --git |@@ -\\d|#!/)|\\b(?:${WORK})\\b[^.?!\\n]{0,60}?\\b(?:${THINGS})(?!\\w)`,
  "im",
);

/** Whether a request is about code: it has a block or a diff of code, or asks for work on code. */
export const isAboutCode = (text: string): boolean => ABOUT_CODE.test(text.slice(0, SEARCHED));

/** What a request needs of its model. */
export function needsOf(
  request: CompletionRequest,
  messages: readonly ChatMessage[],
  maxTokens: number,
): RequestNeeds {
  const { tools = [], toolChoice, schema } = request;
  const asked = messages.findLast(({ role }) => role === "user");
  const besides = [...(schema === undefined ? [] : [schema]), ...tools];
  const { least, likely } = promptTokens(messages, besides);
  return {
    tools: tools.length > 0 && toolChoice !== "none",
    images: messages.some(({ images }) => images !== undefined),
    code: asked !== undefined && isAboutCode(asked.content),
    leastTokens: least,
    likelyTokens: likely + (request.maxTokens ?? maxTokens),
  };
}
