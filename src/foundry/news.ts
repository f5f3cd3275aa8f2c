/** What a call is at before its own work can begin, for people who wait for it. */
export interface News {
  readonly step: "finding" | "starting" | "downloading";
  /** A sentence without a full stop, such as `Starting Foundry Local with foundry server start`. */
  readonly message: string;
  /** Of a download, as far as it is told; `null` otherwise. Never falls. */
  readonly percent: number | null;
}

export type TellNews = (news: News) => void;
