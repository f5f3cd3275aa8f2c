/** What a call waits for before its own work begins, to be shown to people. */
export interface StatusUpdate {
  /** `found` ends `finding` and `starting`: the call's own work begins. */
  readonly step:
    | "finding"
    | "starting"
    | "found"
    | "downloading"
    | "waiting"
    | "loading"
    | "embedding"
    | "reading";
  /** A sentence without a full stop, such as `Starting Foundry Local with foundry server start`. */
  readonly message: string;
  /** Of a download or of many embeddings, as far as it is known; `null` otherwise. Never falls. */
  readonly percent: number | null;
}

export type OnStatus = (update: StatusUpdate) => void;
