import type { FinishReason } from "../foundry/index.js";
import type { CompletionState } from "../jobs/index.js";

/** What to do after a completion has ended without an error; `null`: nothing, its text is the whole answer. */
export function endAdvice({
  text,
  finishReason,
  toolCalls,
  usage,
  isLimitedByService,
}: CompletionState): string | null {
  if (toolCalls !== undefined) return RUN_TOOLS;
  if (isLimitedByService === true) return CONTEXT_FULL;
  if (text.trim() === "") return emptyAdvice(finishReason, usage);
  return finishReason === null ? null : (CUT_OFF[finishReason] ?? null);
}

const RUN_TOOLS =
  'Run the tool_calls, then call complete again with the same tools and with messages: the conversation, {"role":"assistant","content":text,"tool_calls":tool_calls}, and for each call {"role":"tool","tool_call_id":id,"content":result}. The result of a call with error is that error.';

const CONTEXT_FULL =
  "The answer was cut off where the context of the model was full, or at a limit of the engine: a larger max_tokens does not help. Shorten the prompt, or give the model a longer context in the engine.";

function emptyAdvice(finishReason: FinishReason | null, usage: CompletionState["usage"]): string {
  if (finishReason === "length") {
    // LMDeploy and NeMo answer so where others refuse.
    if (usage.outputTokens === 0) {
      return "The service ended the answer before its first token: the prompt and max_tokens together may not fit the context. Shorten the prompt, or give a smaller max_tokens.";
    }
    return "The model used up its tokens before it gave an answer, perhaps while thinking. Ask again with a larger max_tokens, or with reasoning off.";
  }
  if (finishReason === "content_filter") {
    return "A content filter ended the answer before its first word. Rephrase the request, or try another model.";
  }
  return "The model gave no text before it ended. Rephrase the request, leave stop out, or try another model.";
}

/** The ends after which an answer may not be whole. */
const CUT_OFF: Readonly<Partial<Record<FinishReason, string>>> = {
  length: "The answer was cut off at its token limit; ask again with a larger max_tokens.",
  content_filter:
    "A content filter ended the answer, so it may not be whole; rephrase the request, or try another model.",
};
