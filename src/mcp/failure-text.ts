import { type FoundryError, LONGEST_ERROR, truncate } from "../lib/index.js";

/** A failure in words for the model that called: what happened, what to do, whether to repeat it. */
export function failureText(
  error: FoundryError,
  textSoFar = "",
  notes: readonly string[] = [],
): string {
  const lines = [`${error.code}: ${error.message}`, error.action, repeatAdvice(error), ...notes];
  const text = truncate(lines.join("\n"), LONGEST_ERROR);
  if (textSoFar === "") return text;
  return `${text}\n\nThe text so far (incomplete):\n${textSoFar}`;
}

/** The same in one line, for a list of warnings. */
export const failureLine = (error: FoundryError): string =>
  truncate(`${error.code}: ${error.message} ${error.action}`, LONGEST_ERROR);

function repeatAdvice({ retryable, retryAfterMs }: FoundryError): string {
  if (!retryable) return "The same call will fail again unless something is changed.";
  if (retryAfterMs === null) return "The same call may succeed later.";
  return `The same call may succeed in ${Math.max(1, Math.ceil(retryAfterMs / 1000))} s.`;
}
