import type { CompletionRequest } from "../../../foundry/index.js";
import type { CompletionState, Completions, RunEvent } from "../../../jobs/index.js";
import { onAbort } from "../../../lib/index.js";
import type { ProgressReporter } from "../../progress-reporter.js";
import type { ToolContext } from "../../tool.js";
import { secondsOf, waitingWords } from "./completion-result.js";

/**
 * Begins or joins a completion and waits for it, then makes a value of it. Until both are done, cancelling the
 * call may cancel the completion.
 */
export async function waitedFor<T>(
  request: CompletionRequest,
  options: Parameters<Completions["begin"]>[1],
  withinMs: number,
  context: ToolContext,
  make: (state: CompletionState) => Promise<T>,
) {
  const { client, caller, session, trace, signal, progress } = context;
  const { cancellation, afterGrace, identify } = context;
  const { completions } = client;
  const own = { caller, session: session ?? undefined, trace };
  const { state: begun, joined } = completions.begin(request, { ...own, ...options });
  const { id } = begun;
  identify(id);
  reportState(begun, progress);
  // Known before the prompt is sent, or not at all: no completion waits for a disk.
  void client.service.speeds?.read();
  // Detach synchronously on abort: the host's next message may already repeat this call.
  const leave = (): void => {
    const meant = cancellation();
    if (meant === "stop") return;
    const abandonUnlessAsked = completions.detach(id);
    if (meant === "unclear") afterGrace(abandonUnlessAsked);
  };
  const stopListening = onAbort(signal, leave);
  if (signal.aborted) leave();
  try {
    const state = await completions.waitBegun(id, {
      session: own.session,
      withinMs,
      signal,
      onEvent: (event) => reportEvent(event, progress, () => client.readingEstimate(id)),
    });
    return { state, joined, value: await make(state) };
  } finally {
    stopListening();
    if (signal.aborted && cancellation() === "stop") completions.abandon(id);
  }
}

const ASKING = "Asking the service";

/**
 * Reports the progress of a completion that a call waits for.
 *
 * @param estimate How long the prompt will be read, in milliseconds; `null`: unknown.
 */
export function reportEvent(
  event: RunEvent,
  progress: ProgressReporter,
  estimate?: () => number | null,
): void {
  if (event.type === "status") {
    progress.waiting(stepWords(event.status, event.model, estimate?.()));
  } else if (event.type === "text") {
    progress.token(event.text);
  } else if (event.type === "reasoning") {
    progress.token("");
  } else if (event.type === "text_dropped" || event.type === "text_was_reasoning") {
    progress.textDropped();
  } else if (event.type === "news") {
    progress.news(event.news, ASKING);
  } else if (event.type === "place") {
    reportPlace(event.place, event.etaMs, progress);
  }
}

/** Where a completion stands when a call begins to wait for it. */
export function reportState(state: CompletionState, progress: ProgressReporter): void {
  const { status, place, etaMs, model, news } = state;
  const isStep = status === "running" && news !== null;
  if (!isStep && (status === "loading" || status === "running")) {
    progress.waiting(stepWords(status, model));
  } else if (place !== null) {
    reportPlace(place, etaMs, progress);
  } else {
    progress.waiting(news ?? ASKING);
  }
}

/** A shorter wait needs no estimate. */
const LEAST_ESTIMATE_MS = 3000;

function stepWords(
  status: "loading" | "running",
  model: string | null,
  readingMs: number | null = null,
): string {
  if (status === "loading") return `Loading ${model ?? "the model"}`;
  const seconds = readingMs === null || readingMs < LEAST_ESTIMATE_MS ? null : secondsOf(readingMs);
  return `Reading the prompt${seconds === null ? "" : ` (estimated: ${seconds} s)`}`;
}

function reportPlace(place: number, etaMs: number | null, progress: ProgressReporter): void {
  progress.waiting((seconds) =>
    waitingWords(place, etaMs === null ? null : Math.max(0, etaMs - seconds * 1000)),
  );
}
