/**
 * What differs between revisions of S. UNKNOWN: the other value was never seen, so that a client is
 * to be tested with both. S cannot be run here; the defaults are CLI 0.8 as users and Microsoft's SDKs show it.
 */
export interface ServiceSwitches {
  /** `/openai/status`: as it was seen, or in the capitals of its documentation. */
  readonly statusNames: "camelCase" | "PascalCase";
  /** The two members about execution providers; before CLI 0.7 they were missing. */
  readonly registration: "resolved" | "absent";
  /** Ids with their version; without it before CLI 0.7. */
  readonly ids: "versioned" | "unversioned";
  /** `/foundry/list`: a bare array, or, as its documentation says, `{"models":[…]}`. */
  readonly catalogForm: "array" | "object";
  /** Without a network: an empty catalog, or UNKNOWN a failure. */
  readonly catalog: "online" | "empty" | "fails";
  /** `/v1/models`: what is downloaded; UNKNOWN only what is loaded; 404 on some builds, as users report. */
  readonly openaiModels: "downloaded" | "loaded" | "absent";
  /** UNKNOWN: the status of a load of what is not downloaded. A chat's is 400 (#92). */
  readonly missingModelStatus: 400 | 404 | 500;
  /** A chat loads its model if that is downloaded. UNKNOWN: answers as for an unknown one. */
  readonly loadsForChat: boolean;
  /** In streams; missing up to CLI 0.8.119 at least (#299 #399). */
  readonly streamFinish: "absent" | "given";
  /** UNKNOWN: usage in the chunks of a stream. */
  readonly streamUsage: boolean;
  /** Usage in an answer that is not streamed. */
  readonly usage: "absent" | "null";
  /** Body of a 500 of a chat: words, or none (#12). */
  readonly errorBody: "text" | "empty";
  /** UNKNOWN: the route that counts the tokens of a chat, which is documented and was never seen. */
  readonly countsTokens: boolean;
  /** Progress: lines with percents as they were seen (#232), or tuples as documented. */
  readonly downloadLines: "percent" | "tuples";
  /** The last line: `success` and `error` as the SDKs read, `Success` and `ErrorMessage` as documented, or none. */
  readonly downloadEnd: "success" | "Success" | "none";
  /** The last line comes in several chunks. */
  readonly downloadEndSplit: boolean;
  /** What happens once, to the first download of each model, when it has come to so many percent. */
  readonly downloadTrouble: DownloadTrouble | null;
  /** The client closes: the download goes on (#365), or UNKNOWN stops. */
  readonly downloadOnDisconnect: "goes_on" | "stops";
}

export interface DownloadTrouble {
  readonly atPercent: number;
  /**
   * `stalls`: no more progress until the client leaves, and then it ends. `fails`: the last line
   * reports a failure. `breaks`: the connection ends without a last line. The part that came is kept.
   */
  readonly kind: "stalls" | "fails" | "breaks";
}

export const SERVICE_SWITCHES: ServiceSwitches = {
  statusNames: "camelCase",
  registration: "resolved",
  ids: "versioned",
  catalogForm: "array",
  catalog: "online",
  openaiModels: "downloaded",
  missingModelStatus: 400,
  loadsForChat: true,
  streamFinish: "absent",
  streamUsage: false,
  usage: "absent",
  errorBody: "text",
  countsTokens: false,
  downloadLines: "percent",
  downloadEnd: "success",
  downloadEndSplit: false,
  downloadTrouble: null,
  downloadOnDisconnect: "goes_on",
};
