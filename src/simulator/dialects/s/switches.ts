/** What differs between revisions of S, or was never seen in its other position (UNKNOWN). */
export interface ServiceSwitches {
  /** `/foundry/list`: a bare array, or, as its documentation says, `{"models":[…]}`. */
  readonly catalogForm: "array" | "object";
}

export const SERVICE_SWITCHES: ServiceSwitches = {
  catalogForm: "array",
};
