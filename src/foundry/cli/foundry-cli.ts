import { cancelledError } from "../../lib/index.js";
import {
  executableCandidates,
  firstExecutable,
  type Machine,
  type ProgramEnd,
  type ProgramOptions,
  type ProgramRun,
  pathAsTyped,
  runProgram,
  withoutQuotes,
} from "../../platform/index.js";
import {
  type CliAnswer,
  readAnswer,
  readComplaint,
  readSoFar,
  readVersion,
  type ServiceReport,
} from "./cli-output.js";

/** `service`: CLI 0.2 to 0.8 (`foundry service …`); `server`: 0.10 and later (`foundry server …`). */
export type CliGeneration = "service" | "server";

/** The outcome of a command about the service. */
export type CliReport =
  | ServiceReport
  /** It gave no usable answer. `what`: a clause for people, without paths or raw output. */
  | {
      readonly kind: "failed";
      readonly what: string;
      /** `false` where the system cannot start the program at all. */
      readonly isStartable?: false;
    };

interface CliCall {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
}

export type StartVerb = "start" | "restart";
type Verb = "status" | StartVerb;

const STATUS_MS = 10_000;
const VERSION_MS = 10_000;
/** A cold start takes up to half a minute (docs/foundry-local.md, section 12). */
const START_MS = 60_000;

interface Asked {
  readonly generation: CliGeneration;
  readonly answer: CliAnswer;
  readonly end: ProgramEnd;
  readonly complaint: string | null;
  readonly timeoutMs: number;
}

/**
 * Finds the command line of this machine; `null` where there is none.
 *
 * @param configured The user's setting. A path replaces the search and is not checked: the reports of
 *   its commands show what is wrong with it. A name is searched for as `foundry` is, and never in the
 *   working directory.
 */
export async function findFoundryCli(
  machine: Machine,
  configured = "foundry",
): Promise<FoundryCli | null> {
  const path = /[\\/]/.test(configured)
    ? pathAsTyped(configured, machine)
    : await firstExecutable(
        executableCandidates(withoutQuotes(configured).replace(/\.(?:exe|com)$/i, ""), machine),
        machine.platform,
      );
  return path === null ? null : new FoundryCli(path, machine);
}

/** Foundry Local's command line, of either generation. It is never run through a shell. */
export class FoundryCli {
  /** `null` until a command has been answered, and where the program answers to neither. */
  generation: CliGeneration | null = null;

  constructor(
    readonly path: string,
    private readonly machine: Pick<Machine, "platform" | "environment">,
  ) {}

  /** The command, for people: `foundry server status`. */
  command(verb: Verb): string {
    return `foundry ${this.generation ?? "server"} ${verb}`;
  }

  /**
   * Runs `foundry server status -o json` or, if that command is unknown, `foundry service status`.
   *
   * @throws FoundryError `CANCELLED` when the signal is aborted; so do all others.
   */
  status(call: CliCall = {}): Promise<CliReport> {
    return this.#report("status", call);
  }

  /**
   * Starts the service. Resolves when the command has ended or printed an address. After the timeout
   * or an abort the command goes on: what it starts belongs to the user.
   */
  start(call: CliCall = {}): Promise<CliReport> {
    return this.#report("start", call);
  }

  /** Ends the service and starts it, as {@link start} does. */
  restart(call: CliCall = {}): Promise<CliReport> {
    return this.#report("restart", call);
  }

  /** `foundry --version`, such as `0.8.113`; `null` where it prints none. */
  async version(call: CliCall = {}): Promise<string | null> {
    const run = await this.run(["--version"], { timeoutMs: VERSION_MS, ...call });
    throwIfAborted(run.end);
    return run.end.kind === "exited" && run.end.code === 0 ? readVersion(run) : null;
  }

  /** Any other command, such as `["model", "download", "phi-4-mini"]`. */
  run(args: readonly string[], options: ProgramOptions): Promise<ProgramRun> {
    const { environment } = this.machine;
    // Any command may start the service, which must outlive our process.
    return runProgram(this.path, args, { ...options, environment, outlivesUs: true });
  }

  /**
   * Runs the command of one generation and, if it is unknown, of the other. An unusable answer may mean
   * "unknown command": in the user's language, or as help. A status that the known generation fails to
   * give may be that of a program which has been replaced by one of the other generation.
   */
  async #report(verb: Verb, call: CliCall): Promise<CliReport> {
    const known = this.generation;
    const first = await this.#ask(known ?? "server", verb, call);
    const isFirstUnknown = first.answer.kind === "unknown_command";
    const mayBeUnknown = (known === null || verb === "status") && endedWithoutAnswer(first);
    if (!isFirstUnknown && !mayBeUnknown) return this.#conclude(verb, first);
    const second = await this.#ask(
      first.generation === "server" ? "service" : "server",
      verb,
      call,
    );
    const isSecondUnknown = second.answer.kind === "unknown_command";
    if (isFirstUnknown) this.generation = isSecondUnknown ? null : second.generation;
    else if (isSecondUnknown) this.generation = first.generation;
    if (isFirstUnknown && isSecondUnknown) {
      return { kind: "failed", what: "is unknown to the program of that name" };
    }
    const isFirst = isSecondUnknown || (!isFirstUnknown && endedWithoutAnswer(second));
    return this.#conclude(verb, isFirst ? first : second);
  }

  #conclude(verb: Verb, asked: Asked): CliReport {
    const { answer, end, generation } = asked;
    if (answer.kind === "report" || answer.kind === "broken") this.generation = generation;
    if (answer.kind === "report") return answer.report;
    if (answer.kind === "broken") return { kind: "failed", what: answer.what };
    // The command succeeded. Its output does not matter, since the status has the address.
    if (verb !== "status" && end.kind === "exited" && end.code === 0) {
      return { kind: "running", urls: [] };
    }
    const what = failureOf(asked, this.machine.platform);
    const isNoProgram = end.kind === "not_started" && end.isPassing !== true;
    return { kind: "failed", what, ...(isNoProgram ? { isStartable: false } : {}) };
  }

  async #ask(generation: CliGeneration, verb: Verb, call: CliCall): Promise<Asked> {
    if (generation === "server") {
      // No further options: with some, the service finds fewer models (#1065).
      const asked = await this.#askOnce(generation, verb, ["-o", "json"], call);
      if (asked.answer.kind !== "unknown_option") return asked;
    }
    return this.#askOnce(generation, verb, [], call);
  }

  async #askOnce(
    generation: CliGeneration,
    verb: Verb,
    options: readonly string[],
    { signal, timeoutMs: given }: CliCall,
  ): Promise<Asked> {
    const starts = verb !== "status";
    const timeoutMs = given ?? (starts ? START_MS : STATUS_MS);
    const run = await this.run([generation, verb, ...options], {
      timeoutMs,
      signal,
      // A first start may download for minutes. If it were ended, it would never complete.
      whenOver: starts ? "leave" : "end",
      // Some versions go on after the service is up. Ending them might end the service.
      leaveWhen: starts ? (soFar) => isRunning(readSoFar(soFar)) : undefined,
    });
    throwIfAborted(run.end);
    const complaint = readComplaint(run);
    return { generation, answer: readAnswer(run), end: run.end, complaint, timeoutMs };
  }
}

const isRunning = (answer: CliAnswer): boolean =>
  answer.kind === "report" && answer.report.kind === "running";

const endedWithoutAnswer = ({ answer, end }: Asked): boolean =>
  answer.kind === "unusable" && end.kind === "exited";

function throwIfAborted(end: ProgramEnd): void {
  if (end.kind === "aborted") throw cancelledError();
}

function failureOf({ end, complaint, timeoutMs }: Asked, platform: NodeJS.Platform): string {
  if (end.kind === "timed_out") return `did not answer within ${timeoutMs / 1000} s`;
  if (end.kind === "not_started") return `could not be started: ${end.reason}`;
  if (end.kind === "exited" && end.signal !== null) {
    return `was ended by ${end.signal}${adviceOn(end.signal, platform)}`;
  }
  if (end.kind === "exited" && end.code !== 0) {
    return `ended with exit code ${end.code}${complaint === null ? "" : ` and said "${complaint}"`}`;
  }
  return "answered nothing that says where the service is";
}

/** Gatekeeper silently kills a downloaded program that is not signed. */
const adviceOn = (signal: string, platform: NodeJS.Platform): string =>
  signal === "SIGKILL" && platform === "darwin"
    ? " (macOS does that to a program in quarantine: open it once by hand, or remove the quarantine with xattr -d com.apple.quarantine)"
    : "";
