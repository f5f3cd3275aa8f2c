/** What to complete, and how. Either `prompt` or `messages`; all else is optional. */
export interface CompletionRequest {
  /** A single question. */
  readonly prompt?: string | undefined;
  /** A conversation; the last message is answered. */
  readonly messages?:
    | readonly { readonly role: "system" | "user" | "assistant"; readonly content: string }[]
    | undefined;
  /** Instructions that come before the rest. */
  readonly system?: string | undefined;
  /** Alias, name or id, in any case. Default: the client's model. */
  readonly model?: string | undefined;
  /** Longest answer in tokens, 1 to 1 000 000. Default: the client's `maxTokens`, 1024. */
  readonly maxTokens?: number | undefined;
  /** 0 to 2; 0 always takes the likeliest token. Default: the model's own. */
  readonly temperature?: number | undefined;
  /** 0 to 1. Default: the model's own. */
  readonly topP?: number | undefined;
  /** The answer ends before the first of these texts, up to 16. */
  readonly stop?: readonly string[] | undefined;
  /** Makes sampling repeatable where the service supports it; 0 to 2 147 483 647. */
  readonly seed?: number | undefined;
}
