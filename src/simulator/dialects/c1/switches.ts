/** What differs between revisions of C1, or was never seen in its other position (UNKNOWN). */
export interface Core1Switches {
  /** `GET /status`. UNKNOWN: older 1.x may lack it. */
  readonly statusRoute: boolean;
}

export const CORE1_SWITCHES: Core1Switches = {
  statusRoute: true,
};
