/** A part of an answer, as the marks of its model divide it. */
export type Piece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "reasoning"; readonly text: string }
  /** A message to a tool; `to` only with its first piece. */
  | { readonly type: "call"; readonly to: string | null; readonly text: string }
  /** The text before it was thinking. */
  | { readonly type: "text_was_reasoning" };
