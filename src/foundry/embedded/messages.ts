import * as z from "zod";

/**
 * The messages between the server and the child process that hosts the SDK. The child imports only
 * types from here, so that it stays small.
 */

/** Settings of the SDK, with its own names. */
export interface SdkSettings {
  readonly appName: string;
  readonly modelCacheDir: string;
  readonly logsDir: string;
  readonly logLevel: "warn";
}

export type ToChild =
  /** `entry` is the URL of the SDK's main module. */
  | { readonly kind: "start"; readonly entry: string; readonly settings: SdkSettings }
  | { readonly kind: "download"; readonly call: number; readonly id: string }
  | { readonly kind: "cancel"; readonly call: number }
  | { readonly kind: "stop" };

const message = z.string();

export const fromChild = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("listening"), urls: z.array(z.string()) }),
  /** It could not start. `message` is the SDK's. */
  z.object({ kind: z.literal("failed"), message }),
  z.object({ kind: z.literal("progress"), call: z.int(), percent: z.number() }),
  z.object({ kind: z.literal("downloaded"), call: z.int() }),
  z.object({ kind: z.literal("download_failed"), call: z.int(), message }),
]);
export type FromChild = z.infer<typeof fromChild>;
