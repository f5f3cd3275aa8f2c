/** The encoding of the output. */
export type OutputEncoding =
  | "utf8"
  /** UTF-8 that a program decoded as this code page and encoded as UTF-8 again. */
  | "cp1252_mojibake"
  | "cp850_mojibake"
  /** A question mark for each character that the console lacks. */
  | "question_marks"
  /** Invalid UTF-8: each character outside ASCII lacks its last byte. */
  | "invalid_bytes"
  /** Little-endian, with a byte order mark. */
  | "utf16";

/** Output around the answer on stdout. */
export type OutputNoise = "banner" | "progress" | "log_lines" | "braces";

/** The faults of a command line. Each can be changed while it is in use. */
export interface FoundryCliSwitches {
  /**
   * The reported status. `dead_listener`: ready, at an address where nothing listens, until a restart.
   * `says_stopped`: not running, with its (last) address. `broken_ipc`: the commands cannot reach the
   * service (#405), until a restart.
   */
  readonly status: "truth" | "dead_listener" | "says_stopped" | "broken_ipc";
  /** After a start, so many status queries still answer "not running" (#13, #286). */
  readonly statusLagCalls: number;

  /**
   * `port_in_use`: #146. `comes_up_dead`: it reports a success, and nothing listens. `fails`: it does
   * not start, with exit code 1.
   */
  readonly start: "works" | "port_in_use" | "comes_up_dead" | "fails";
  /** Milliseconds from the command until the service listens. */
  readonly startMs: number;
  /** Whether the start command waits for it. */
  readonly startReturns: "when_listening" | "at_once";
  /** How long a child of the start command keeps its stdout and stderr open after its end. */
  readonly startHoldsPipesMs: number;
  /** `leaves_service`: it goes on listening, unknown to the command line (#146). */
  readonly stop: "works" | "leaves_service";
  /** `daemon.json` after a stop. After a crash it stays anyway. */
  readonly daemonFileAfterStop: "removed" | "stays";
  /** The process id of the service that is reported. `null`: the simulator's process. */
  readonly pid: number | null;

  /** The duration of a whole download, in milliseconds. */
  readonly downloadMs: number;
  /** `null`: the style of its generation. */
  readonly downloadStyle: "bar" | "spinner" | "lines" | "silent" | null;
  /** It stalls at so many percent; with `spins` it goes on drawing. */
  readonly downloadStall: { readonly at: number; readonly spins?: boolean } | null;
  readonly downloadFailure: { readonly at: number; readonly text?: string } | null;
  /** The model is downloaded, and the command does not end. */
  readonly downloadHangsAfter: boolean;
  /** The service goes on when the command is killed (#365). */
  readonly downloadOutlivesCommand: boolean;
  /** The model is loaded, and the command does not end. */
  readonly loadHangsAfter: boolean;

  /** The message of the newer command line for an unknown command. */
  readonly unknownCommand: "unrecognized" | "did_you_mean";

  /** The commands to which the switches below apply, such as `server status`. Empty: all. */
  readonly on: readonly string[];
  /** A delay before the command does anything, in milliseconds. */
  readonly delayMs: number;
  /** `crashes`: a stack on stderr and exit code 134 before it does anything. `killed`: likewise, by SIGKILL. */
  readonly ends: "normally" | "hangs_silently" | "hangs_after_output" | "crashes" | "killed";
  /** Replaces its exit code. */
  readonly exitCode: number | null;
  /** It ignores SIGTERM. */
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

/** The switches that apply to this command. */
export function troubleOf(switches: FoundryCliSwitches, argv: readonly string[]): CallTrouble {
  const line = `${argv.join(" ")} `;
  const meant = switches.on.length === 0 || switches.on.some((on) => line.startsWith(`${on} `));
  return meant ? switches : WELL;
}
