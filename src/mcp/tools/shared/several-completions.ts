import { type CompletionState, hasEnded } from "../../../jobs/index.js";
import type { FoundryError } from "../../../lib/index.js";
import { failureLine } from "../../failure-text.js";
import { answerOf, howFar, restAdvice } from "./completion-words.js";
import type { Excerpt } from "./excerpt.js";

interface Part {
  readonly state: CompletionState;
  readonly excerpt: Excerpt;
}

/** Several completions as one text: what to call next, then each under its id. */
export function severalText(parts: readonly Part[], missing: readonly FoundryError[]): string {
  const open = parts.filter(({ state }) => !hasEnded(state));
  const ids = JSON.stringify(open.map(({ state }) => state.id));
  const first =
    open.length === 0
      ? `All ${parts.length} have ended.`
      : `Not finished: ${open.length} of ${parts.length} go on. Call get_completion with completion_ids ${ids} to wait for them.`;
  return [first, ...missing.map(failureLine), ...parts.map(partText)].join("\n\n");
}

function partText({ state, excerpt }: Part): string {
  const rest = excerpt.isCut ? `\n(${restAdvice(state, excerpt)})` : "";
  const { id, status, error } = state;
  if (!hasEnded(state)) return `${id}, ${howFar(state)}:\n${excerpt.text}${rest}`.trimEnd();
  if (error !== null) {
    return `${id}, ${status}, ${failureLine(error)}\n${excerpt.text}${rest}`.trimEnd();
  }
  return `${id}, ${status}:\n${answerOf(state, excerpt)}${rest}`;
}
