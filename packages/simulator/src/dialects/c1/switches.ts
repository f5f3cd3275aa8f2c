/** Behaviours that 1.2.4 shows only on some machines. */
export interface Core1Switches {
  /**
   * The catalog: `unreachable` without a saved copy is 500 on `/v1/models` and an empty 500 on every
   * load and unload (#1024).
   */
  readonly catalogAccess: "reachable" | "unreachable";
  /**
   * A prompt of more bytes than this kills the process, as prompts above some 20 kB do on some
   * graphics devices; `null`: none does. UNKNOWN on processors.
   */
  readonly deadlyPromptBytes: number | null;
}

export const CORE1_SWITCHES: Core1Switches = {
  catalogAccess: "reachable",
  deadlyPromptBytes: null,
};
