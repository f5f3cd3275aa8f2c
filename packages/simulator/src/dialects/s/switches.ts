/**
 * What differs between revisions of S, or was never seen in its other position (UNKNOWN): clients
 * are to be tested with both. Nothing of S was run here; the defaults are CLI 0.8 as told.
 */
export interface ServiceSwitches {
  /** `/openai/status`: as it was seen, or in the capitals of its documentation. */
  readonly statusNames: "camelCase" | "PascalCase";
  /** Whether the execution providers are there; before CLI 0.7 the two members were missing. */
  readonly registration: "resolved" | "pending" | "absent";
  /** Ids with their version; without it before CLI 0.7. */
  readonly ids: "versioned" | "unversioned";
  /** UNKNOWN: load and chat take an alias too. */
  readonly takesAlias: boolean;
  /** `/foundry/list`: a bare array, or, as its documentation says, `{"models":[…]}`. */
  readonly catalogForm: "array" | "object";
  /** Without a network: an empty catalog, or UNKNOWN a failure. */
  readonly catalog: "online" | "empty" | "fails";
  /** `/v1/models`: what is downloaded; UNKNOWN only what is loaded; 404 on some builds, it is said. */
  readonly openaiModels: "downloaded" | "loaded" | "absent";
  /** `…/tokenizer/encode/count`: documented, never seen. */
  readonly tokenizerRoute: boolean;
  /** UNKNOWN: the status of a load of what is not downloaded. A chat's is 400 (#92). */
  readonly missingModelStatus: 400 | 404 | 500;
  /** UNKNOWN: the status of unloading what is not loaded. One client reads 404 so. */
  readonly notLoadedStatus: 200 | 404;
  /** UNKNOWN: unloading a model that generates, without `force`. */
  readonly unloadInUse: "refused" | "unloads";
  /** UNKNOWN: the lists of models wait for a running load. */
  readonly listsWait: boolean;
  /** A chat loads its model if that is downloaded. UNKNOWN: answers as for an unknown one. */
  readonly loadsForChat: boolean;
  /** Seconds without use until a model is unloaded; fractions are for tests. */
  readonly idleSeconds: number;
  /** One generation at a time, or UNKNOWN in turn as the later cores. */
  readonly oneAtATime: boolean;
  /** UNKNOWN: closing the connection ends the generation. */
  readonly disconnectStops: boolean;
  /** In streams; missing up to CLI 0.8.119 at least (#299 #399). */
  readonly streamFinish: "absent" | "given";
  /** UNKNOWN: usage in the chunks of a stream. */
  readonly streamUsage: boolean;
  /** Usage in an answer that is not streamed. */
  readonly usage: "absent" | "null" | "given";
  /** Body of a 500 of a chat: words, or none (#12). */
  readonly errorBody: "text" | "empty";
  /** Calls of tools: part of the text, or, for some models of 0.8, taken apart in whole answers. */
  readonly serviceToolCalls: "text" | "structured";
  /** `arguments` of such a call: JSON as a text, or an object. */
  readonly callArguments: "text" | "object";
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
  /**
   * A second download of the same model meanwhile: UNKNOWN refused, or both go on and what they
   * wrote cannot be loaded (users told of such files).
   */
  readonly secondDownload: "refused" | "corrupts";
}

export interface DownloadTrouble {
  readonly atPercent: number;
  /**
   * `stalls`: no more news until the client leaves, and then it is over. `fails`: the last line
   * says no. `breaks`: the connection ends without a last line. What has come is kept.
   */
  readonly kind: "stalls" | "fails" | "breaks";
}

export const SERVICE_SWITCHES: ServiceSwitches = {
  statusNames: "camelCase",
  registration: "resolved",
  ids: "versioned",
  takesAlias: false,
  catalogForm: "array",
  catalog: "online",
  openaiModels: "downloaded",
  tokenizerRoute: true,
  missingModelStatus: 400,
  notLoadedStatus: 200,
  unloadInUse: "refused",
  listsWait: false,
  loadsForChat: true,
  idleSeconds: 600,
  oneAtATime: true,
  disconnectStops: false,
  streamFinish: "absent",
  streamUsage: false,
  usage: "absent",
  errorBody: "text",
  serviceToolCalls: "text",
  callArguments: "text",
  downloadLines: "percent",
  downloadEnd: "success",
  downloadEndSplit: false,
  downloadTrouble: null,
  downloadOnDisconnect: "goes_on",
  secondDownload: "refused",
};
