import { type CompletionState, hasEnded, type RunEvent } from "../../../jobs/index.js";
import type { FoundryError } from "../../../lib/index.js";
import type { ProgressReporter } from "../../progress-reporter.js";
import { completionUri } from "../../resources/index.js";
import { failureLine } from "../../tool.js";
import { type Excerpt, nextFrom, secondsOf } from "./completion-result.js";

/** The answer itself, nothing around it, so that it can be used as it is. */
export function answerOf({ text, finishReason }: CompletionState, excerpt: Excerpt): string {
  // What is empty because it was read before is no empty answer.
  if (text.trim() !== "") return excerpt.text;
  if (finishReason === "length") {
    return "(The model used up its tokens before it gave an answer, perhaps while thinking. Ask again with a larger max_tokens.)";
  }
  return "(The model gave no text before it ended. Rephrase the request, leave stop out, or try another model.)";
}

/** What a reader of the text alone must know besides. */
export function notesOn(state: CompletionState, excerpt: Excerpt): string[] {
  const { text, finishReason, warnings } = state;
  const rest = excerpt.isCut ? [restAdvice(state, excerpt)] : [];
  // The last warning of an empty answer says that it is empty, which the text says, too.
  if (text.trim() === "" && hasEnded(state) && state.error === null) return warnings.slice(0, -1);
  const isCutOff = finishReason === "length" && !excerpt.isCut;
  const cutOff = "The answer was cut off at its token limit; ask again with a larger max_tokens.";
  return [...rest, ...(isCutOff ? [cutOff] : []), ...warnings];
}

/** The first line about a completion that goes on: how far it is, and exactly what to call next. */
function goesOnLine(state: CompletionState, excerpt: Excerpt): string {
  const next = nextFrom(state, excerpt) ?? 0;
  const call = `Call get_completion with completion_ids ["${state.id}"]`;
  const advice = next === 0 ? `${call} to get the answer.` : `${call} and from ${next} to read on.`;
  return `Not finished: ${howFar(state)}. ${advice}`;
}

/** A completion that goes on: that line, and the text so far. */
export function goesOnText(state: CompletionState, excerpt: Excerpt): string {
  const line = goesOnLine(state, excerpt);
  return excerpt.text === "" ? line : `${line}\n\n${excerpt.text}`;
}

/** How far a completion is that goes on, as part of a sentence. */
export function howFar({
  status,
  news,
  place,
  etaMs,
  model,
  usage,
  text,
}: CompletionState): string {
  if (status === "running") {
    const { outputTokens } = usage;
    if (outputTokens === null) return "reading the prompt, no tokens yet";
    const tokens = `${outputTokens} ${outputTokens === 1 ? "token" : "tokens"} so far`;
    return text === "" ? `${tokens}, still thinking` : `${tokens}, running`;
  }
  // Another load may come first, and then the news is that.
  const step = news?.replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase());
  if (status === "loading") return step ?? `loading ${model ?? "the model"}`;
  if (place !== null) return waitingWords(place, etaMs).toLowerCase();
  return step ?? "not yet begun";
}

/** The place in the queue, and the estimated start where it is known. */
export function waitingWords(place: number, etaMs: number | null): string {
  const eta = secondsOf(etaMs);
  return eta === null ? `Waiting, place ${place}` : `Waiting, place ${place}, about ${eta} s`;
}

/** How to get what did not fit. */
export function restAdvice({ id }: CompletionState, { from, text, total }: Excerpt): string {
  const next = from + text.length;
  return `These are the characters ${from} to ${next} of ${total}. Call get_completion with completion_ids ["${id}"] and from ${next} to read on; ${completionUri(id)} is the whole as a resource.`;
}

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
      ? endedWords(parts.length, missing.length)
      : `Not finished: ${open.length} of ${parts.length} go on. Call get_completion with completion_ids ${ids} to wait for them.`;
  return [first, ...missing.map(failureLine), ...parts.map(partText)].join("\n\n");
}

function endedWords(ended: number, missing: number): string {
  if (missing === 0) return `All ${ended} have ended.`;
  const others = missing === 1 ? "1 was not found" : `${missing} were not found`;
  return `${ended} of ${ended + missing} ${ended === 1 ? "has" : "have"} ended, and ${others}.`;
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

const ASKING = "Asking the service";

/** Reports the progress of a completion that a call waits for. */
export function reportEvent(event: RunEvent, progress: ProgressReporter): void {
  if (event.type === "status") {
    reportStatus(event.status, event.model, progress);
  } else if (event.type === "text") {
    progress.token(event.text);
  } else if (event.type === "reasoning") {
    progress.token("");
  } else if (event.type === "news") {
    progress.news(event.news, ASKING);
  } else if (event.type === "place") {
    reportPlace(event.place, event.etaMs, progress);
  }
}

/** Where a completion stands when a call begins to wait for it. */
export function reportState(state: CompletionState, progress: ProgressReporter): void {
  const { status, place, etaMs, model, news } = state;
  if (status === "loading" || status === "running") reportStatus(status, model, progress);
  else if (place !== null) reportPlace(place, etaMs, progress);
  else progress.waiting(news ?? ASKING);
}

function reportStatus(
  status: "loading" | "running",
  model: string | null,
  progress: ProgressReporter,
): void {
  progress.waiting(status === "loading" ? `Loading ${model ?? "the model"}` : "Reading the prompt");
}

function reportPlace(place: number, etaMs: number | null, progress: ProgressReporter): void {
  progress.waitingInWords((seconds) =>
    waitingWords(place, etaMs === null ? null : Math.max(0, etaMs - seconds * 1000)),
  );
}
