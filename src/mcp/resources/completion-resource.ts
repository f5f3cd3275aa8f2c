import { type CompletionState, hasEnded } from "../../jobs/index.js";
import {
  counted,
  escapeUnprintable,
  inSnakeCase,
  portableJson,
  type SecretMask,
  withoutControls,
} from "../../lib/index.js";
import { serverWords } from "../../server-words.js";
import { endAdvice } from "../end-advice.js";

const SCHEME = "foundry://completions/";
const LONGEST_TITLE_TEXT = 50;

export const TEXT_TEMPLATE = `${SCHEME}{id}`;
export const STATE_TEMPLATE = `${SCHEME}{id}/state`;

/** Where the whole text of a completion is read. */
export const completionUri = (id: string): string => `${SCHEME}${id}`;
export const stateUri = (id: string): string => `${completionUri(id)}/state`;

/** Which part of which completion a URI means; `null` where it means none. */
export function partOf(
  uri: string,
): { readonly id: string; readonly part: "text" | "state" } | null {
  const [, id, state] = /^foundry:\/\/completions\/([^/?#\s]+)(\/state)?$/.exec(uri) ?? [];
  if (id === undefined) return null;
  return { id, part: state === undefined ? "text" : "state" };
}

/** A completion in a list of resources. */
export function resourceOf(state: CompletionState, secrets: SecretMask) {
  const { id, text, endedAt } = state;
  return {
    uri: completionUri(id),
    name: id,
    title: secrets.hide(withoutControls(titleOf(state))),
    description: secrets.hide(withoutControls(descriptionOf(state))),
    mimeType: "text/plain",
    size: Buffer.byteLength(text),
    ...(endedAt === null ? {} : { annotations: { lastModified: new Date(endedAt).toISOString() } }),
  };
}

/** The text and how it stands, as two contents: the first is the text and nothing else. */
export function contentsOf(state: CompletionState, part: "text" | "state", secrets: SecretMask) {
  const { id, text } = state;
  const textContent = { uri: completionUri(id), mimeType: "text/plain", text };
  const stateContent = {
    uri: stateUri(id),
    mimeType: "application/json",
    text: harmlessJson(fieldsOf(state), secrets),
  };
  return part === "state" ? [stateContent] : [textContent, stateContent];
}

/** A value as JSON: names and words of a service in it are without secrets and do nothing on a terminal. */
export const harmlessJson = (value: unknown, secrets: SecretMask): string =>
  escapeUnprintable(portableJson(JSON.stringify(secrets.hideIn(value))));

function titleOf({ model, status, createdAt, text }: CompletionState): string {
  const what = `${model ?? "Completion"}, ${status}, ${timeOf(createdAt)}`;
  const words = firstWords(text, LONGEST_TITLE_TEXT);
  return words === "" ? what : `${what}: ${words}`;
}

/** As the clock on the user's wall says. */
const timeOf = (milliseconds: number): string => new Date(milliseconds).toTimeString().slice(0, 5);

/** The first words of a text, on one line. */
export function firstWords(text: string, longest: number): string {
  // Not the whole of a long text: only its beginning is looked at.
  const beginning = text.slice(0, 10 * longest);
  const line = beginning.replace(/[\s\p{Cc}\p{Cf}]+/gu, " ").trim();
  if (line.length <= longest && beginning.length === text.length) return line.toWellFormed();
  // A longer last piece is no cut word: scripts without spaces, JSON and addresses have none.
  const cut = line.slice(0, longest).replace(/\s+\S{0,20}$/, "");
  return `${cut.replace(/[\uD800-\uDBFF]$/, "").toWellFormed()}…`;
}

function descriptionOf(state: CompletionState): string {
  const { status, model, usage, error } = state;
  const of = model === null ? "" : ` by ${model}`;
  const tokens =
    usage.outputTokens === null
      ? ""
      : `, ${usage.estimated ? "about " : ""}${counted(usage.outputTokens, "token")}${hasEnded(state) ? "" : " so far"}`;
  const why = error === null ? "" : ` (${error.code})`;
  return `Text of a completion${of}: ${status}${why}${tokens}`;
}

/** How it stands, named as the tools name it. */
function fieldsOf(state: CompletionState) {
  const { error } = state;
  return {
    completion_id: state.id,
    status: state.status,
    model: state.model,
    characters: state.text.length,
    finish_reason: state.finishReason,
    usage: inSnakeCase(state.usage),
    timing: inSnakeCase(state.timing),
    attempts: state.attempts,
    place: state.place,
    eta_ms: state.etaMs,
    waits_for: state.news,
    batch_id: state.batchId,
    created_at: new Date(state.createdAt).toISOString(),
    ended_at: state.endedAt === null ? null : new Date(state.endedAt).toISOString(),
    error: error === null ? null : { code: error.code, message: serverWords(error.message) },
    warnings: state.warnings.map(serverWords),
    next: nextOf(state),
  };
}

function nextOf(state: CompletionState): string {
  const { id, error, toolCalls } = state;
  if (!hasEnded(state)) {
    return `Not finished: call get_completion with ${id}, read this again later, or subscribe to it.`;
  }
  if (error !== null) return serverWords(error.action);
  const advice = endAdvice(state) ?? "Nothing: this is the whole answer.";
  return toolCalls === undefined
    ? advice
    : `Call get_completion with ${id} for the tool_calls. ${advice}`;
}
