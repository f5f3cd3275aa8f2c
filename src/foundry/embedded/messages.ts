import { z } from "zod";

/**
 * What the server and the child that hosts the SDK tell each other. The child takes only the types
 * from here: it stays small and loads nothing but the SDK.
 */

/** Settings of the SDK, by its own names. */
export interface SdkSettings {
  readonly appName: string;
  readonly modelCacheDir: string;
  readonly logsDir: string;
  readonly logLevel: "warn";
}

export type ToChild =
  /** `entry` is the URL of the SDK's main module. */
  | { readonly kind: "start"; readonly entry: string; readonly settings: SdkSettings }
  | {
      readonly kind: "download";
      readonly call: number;
      readonly id: string;
    }
  | { readonly kind: "cancel"; readonly call: number }
  | { readonly kind: "stop" };

const words = z.string();

export const fromChild = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("listening"), urls: z.array(z.string()) }),
  /** It could not start; `words` are the SDK's. */
  z.object({ kind: z.literal("failed"), words }),
  z.object({ kind: z.literal("progress"), call: z.int(), percent: z.number() }),
  z.object({ kind: z.literal("downloaded"), call: z.int() }),
  z.object({ kind: z.literal("download_failed"), call: z.int(), words }),
]);
export type FromChild = z.infer<typeof fromChild>;
