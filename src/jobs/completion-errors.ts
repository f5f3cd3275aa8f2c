import { z } from "zod";
import { FoundryError, parseArguments, truncate } from "../lib/index.js";
import type { Ids } from "./ids.js";

export function stoppedError(): FoundryError {
  return new FoundryError("CANCELLED", "The completion was cancelled before its end.", {
    action: "Nothing to do; ask again if the whole answer is wanted after all.",
  });
}

const idArgument = z.object({ id: z.string("the id of a completion") });

/** @throws FoundryError `INVALID_ARGUMENT` if the id is not a string. */
export function notFound(id: string, ids: Ids): FoundryError {
  parseArguments(idArgument, { id });
  const shown = JSON.stringify(truncate(id, 60).toWellFormed());
  const standing = ids.standingOf(id, "completion");
  const what = {
    expired: `The completion ${shown} is not kept any more: finished ones are kept for 30 minutes, the latest 200.`,
    other_kind: `${shown} is the id of a batch, not of a completion.`,
    other_run: `The completion ${shown} is from an earlier run of this program, which kept it no longer than it ran.`,
    unknown: `There is no completion ${shown}.`,
  }[standing];
  const action =
    standing === "other_kind"
      ? "Read its results in the loop over `completeBatch`."
      : "Call `completions.list` for those that are kept, or `complete` to ask again.";
  return new FoundryError("COMPLETION_NOT_FOUND", what, { action });
}
