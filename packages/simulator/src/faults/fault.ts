type EventsOrBytes = {
  readonly bytes?: number;
  readonly events?: number;
};

type Kind =
  | { readonly kind: "reset" | "close" | "hang-after-headers" | "html" | "half-json" }
  | { readonly kind: "empty" | "crlf" }
  | ({ readonly kind: "reset-after" | "close-after" } & EventsOrBytes)
  | { readonly kind: "no-done"; readonly finishReason?: boolean }
  | { readonly kind: "end-after"; readonly events: number }
  | {
      readonly kind: "error-event";
      readonly afterEvents?: number;
      readonly message?: string;
      readonly type?: string;
    }
  | {
      readonly kind: "status";
      readonly status: number;
      readonly body?: string;
      readonly contentType?: string | null;
      readonly headers?: Record<string, string>;
    }
  | { readonly kind: "hang"; readonly ms?: number }
  | { readonly kind: "stall"; readonly afterEvents?: number; readonly ms?: number }
  | { readonly kind: "garbage-sse"; readonly afterEvents?: number }
  | { readonly kind: "split"; readonly bytes: number[] }
  | { readonly kind: "merge"; readonly events: number }
  | { readonly kind: "comments"; readonly text?: string }
  | { readonly kind: "only-comments"; readonly everyMs?: number }
  | { readonly kind: "slow-body"; readonly bytes?: number; readonly everyMs?: number }
  | { readonly kind: "content-type"; readonly value: string };

/** A kind of fault with its settings, and the requests that it is applied to. */
export type Fault = Kind & {
  /** Default: every request. */
  readonly on?: {
    readonly method?: string;
    /** The whole path without its query, or a beginning that ends with `*`. */
    readonly path?: string;
  };
  /** How many requests it is applied to. Default: every one. */
  readonly times?: number;
};
