/** How the output's bytes come about. */
export type OutputEncoding =
  | "utf8"
  /** UTF-8 that a program decoded as this code page and encoded as UTF-8 again. */
  | "cp1252_mojibake"
  | "cp850_mojibake"
  /** What a console without the characters writes instead of them. */
  | "question_marks"
  /** Characters outside ASCII are cut off in their middle: not UTF-8 at all. */
  | "invalid_bytes"
  /** Little-endian, with its mark at the beginning. */
  | "utf16";

/** What is printed around the answer on stdout. */
export type OutputNoise = "banner" | "progress" | "log_lines" | "braces";

/** The faults of a command line. Each can be changed while it is in use. */
export interface FoundryCliSwitches {
  /**
   * What is said of the service. `dead_listener`: that it is ready, at an address where nothing
   * listens, until a restart. `says_stopped`: that it does not run, with the address it (last) had.
   * `broken_ipc`: the commands cannot reach it (#405), until a restart.
   */
  readonly status: "truth" | "dead_listener" | "says_stopped" | "broken_ipc";
  /** After a start, so many questions for the state are answered with "does not run" (#13, #286). */
  readonly statusLagCalls: number;

  /**
   * `port_in_use`: #146. `comes_up_dead`: all is said to be well, and nothing listens. `fails`: it
   * does not start, with exit code 1.
   */
  readonly start: "works" | "port_in_use" | "comes_up_dead" | "fails";
  /** From the command to the service that listens, in milliseconds. */
  readonly startMs: number;
  /** Whether the start command waits for it. */
  readonly startReturns: "when_listening" | "at_once";
  /** So long a child of the start command keeps its stdout and stderr open after its end. */
  readonly startHoldsPipesMs: number;
  /** `leaves_service`: it goes on listening, unknown to the command line (#146). */
  readonly stop: "works" | "leaves_service";
  /** What becomes of `daemon.json` when the service is stopped. After a crash it stays anyway. */
  readonly daemonFileAfterStop: "removed" | "stays";
  /** The process id of the service that is reported. `null`: the simulator's process. */
  readonly pid: number | null;

  /** Of a whole download, in milliseconds. */
  readonly downloadMs: number;
  /** `null`: as its generation does it. */
  readonly downloadStyle: "bar" | "spinner" | "lines" | "silent" | null;
  /** It gets no further than so many percent; with `spins` it goes on drawing. */
  readonly downloadStall: { readonly at: number; readonly spins?: boolean } | null;
  readonly downloadFailure: { readonly at: number; readonly text?: string } | null;
  /** The model is there, and the command does not end. */
  readonly downloadHangsAfter: boolean;
  /** The service goes on when the command is killed (#365). */
  readonly downloadOutlivesCommand: boolean;
  /** The model is in memory, and the command does not end. */
  readonly loadHangsAfter: boolean;

  /** The words of the newer command line for a command that it does not know. */
  readonly unknownCommand: "unrecognized" | "did_you_mean";

  /** What follows counts for commands that begin so, such as `server status`. Empty: for all. */
  readonly on: readonly string[];
  /** Before anything is done or printed, in milliseconds. */
  readonly delayMs: number;
  /** `crashes`: a stack on stderr and exit code 134, and nothing is done. `killed`: by SIGKILL, likewise. */
  readonly ends: "normally" | "hangs_silently" | "hangs_after_output" | "crashes" | "killed";
  /** In place of its own. */
  readonly exitCode: number | null;
  /** It does not end at SIGTERM. */
  readonly ignoresTermination: boolean;
  readonly noise: readonly OutputNoise[];
  readonly encoding: OutputEncoding;
}

export const WELL: FoundryCliSwitches = {
  status: "truth",
  statusLagCalls: 0,
  start: "works",
  startMs: 0,
  startReturns: "when_listening",
  startHoldsPipesMs: 0,
  stop: "works",
  daemonFileAfterStop: "removed",
  pid: null,
  downloadMs: 0,
  downloadStyle: null,
  downloadStall: null,
  downloadFailure: null,
  downloadHangsAfter: false,
  downloadOutlivesCommand: false,
  loadHangsAfter: false,
  unknownCommand: "unrecognized",
  on: [],
  delayMs: 0,
  ends: "normally",
  exitCode: null,
  ignoresTermination: false,
  noise: [],
  encoding: "utf8",
};

export type CallTrouble = Pick<
  FoundryCliSwitches,
  "delayMs" | "ends" | "exitCode" | "ignoresTermination" | "noise" | "encoding"
>;

/** What of the switches counts for this command. */
export function troubleOf(switches: FoundryCliSwitches, argv: readonly string[]): CallTrouble {
  const line = `${argv.join(" ")} `;
  const meant = switches.on.length === 0 || switches.on.some((on) => line.startsWith(`${on} `));
  return meant ? switches : WELL;
}
