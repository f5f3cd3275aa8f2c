import type { CompletionState, RunEvent } from "../../../jobs/index.js";
import type { ProgressReporter } from "../../progress-reporter.js";
import { waitingWords } from "./completion-words.js";

const ASKING = "Asking Foundry Local";

/** Tells a host what happens to a completion that a call waits for. */
export function tellEvent(event: RunEvent, progress: ProgressReporter): void {
  if (event.type === "status") {
    tellStatus(event.status, event.model, progress);
  } else if (event.type === "text") {
    progress.token(event.text);
  } else if (event.type === "reasoning") {
    progress.token("");
  } else if (event.type === "news") {
    progress.news(event.news, ASKING);
  } else if (event.type === "place") {
    tellPlace(event.place, event.etaMs, progress);
  }
}

/** Where a completion stands when a call begins to wait for it. */
export function tellState(state: CompletionState, progress: ProgressReporter): void {
  const { status, place, etaMs, model, news } = state;
  if (status === "loading" || status === "running") tellStatus(status, model, progress);
  else if (place !== null) tellPlace(place, etaMs, progress);
  else progress.waiting(news ?? ASKING);
}

function tellStatus(
  status: "loading" | "running",
  model: string | null,
  progress: ProgressReporter,
): void {
  progress.waiting(status === "loading" ? `Loading ${model ?? "the model"}` : "Reading the prompt");
}

function tellPlace(place: number, etaMs: number | null, progress: ProgressReporter): void {
  progress.waitingInWords((seconds) =>
    waitingWords(place, etaMs === null ? null : Math.max(0, etaMs - seconds * 1000)),
  );
}
