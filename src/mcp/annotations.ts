import type { Effect } from "./tool.js";

interface Annotations {
  readonly readOnlyHint: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
  readonly openWorldHint: boolean;
}

/**
 * What hosts decide by whether to ask the user first. Nothing here leaves the machine's models, hence
 * never an open world; and nothing loses data: an unloaded model is loaded again by the next use.
 */
const ANNOTATIONS: Readonly<Record<Effect, Annotations>> = {
  reads: { readOnlyHint: true, openWorldHint: false },
  // May load a model, which takes memory; and each call is a new answer.
  generates: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: false,
    openWorldHint: false,
  },
  changes: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
};

export const annotationsOf = (effect: Effect): Annotations => ANNOTATIONS[effect];
