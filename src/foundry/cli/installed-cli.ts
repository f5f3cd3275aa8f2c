import { cancelledError } from "../../lib/index.js";
import {
  type Machine,
  type ProgramEnd,
  type ProgramOptions,
  type ProgramRun,
  runProgram,
} from "../../platform/index.js";
import { type CliAnswer, readAnswer, readComplaint, readSoFar, readVersion } from "./cli-output.js";
import type { CliCall, CliGeneration, CliReport, FoundryCli } from "./contract.js";

type Verb = "status" | "start" | "restart";

const STATUS_MS = 10_000;
const VERSION_MS = 10_000;
/** A cold start takes up to half a minute: docs/foundry-local.md, section 12. */
const START_MS = 60_000;

/** One question, and what came of it. */
interface Asked {
  readonly answer: CliAnswer;
  readonly end: ProgramEnd;
  /** Its complaint, where it made one. */
  readonly said: string | null;
  readonly timeoutMs: number;
}

/** The command line at a path. Which generation it is shows when it is first asked. */
export class InstalledCli implements FoundryCli {
  #generation: CliGeneration | null = null;

  constructor(
    readonly path: string,
    private readonly machine: Pick<Machine, "platform" | "environment">,
  ) {}

  get generation(): CliGeneration | null {
    return this.#generation;
  }

  get statusCommand(): string {
    return `foundry ${this.#generation ?? "server"} status`;
  }

  get startCommand(): string {
    return `foundry ${this.#generation ?? "server"} start`;
  }

  get restartCommand(): string {
    return `foundry ${this.#generation ?? "server"} restart`;
  }

  status(call: CliCall = {}): Promise<CliReport> {
    return this.#report("status", call);
  }

  start(call: CliCall = {}): Promise<CliReport> {
    return this.#report("start", call);
  }

  restart(call: CliCall = {}): Promise<CliReport> {
    return this.#report("restart", call);
  }

  async version(call: CliCall = {}): Promise<string | null> {
    const run = await this.run(["--version"], { timeoutMs: VERSION_MS, ...call });
    throwIfAborted(run.end);
    return run.end.kind === "exited" && run.end.code === 0 ? readVersion(run) : null;
  }

  run(
    args: readonly string[],
    options: CliCall & { readonly onOutput?: (text: string) => void },
  ): Promise<ProgramRun> {
    return this.#run(args, { ...options, timeoutMs: options.timeoutMs ?? STATUS_MS });
  }

  #run(args: readonly string[], options: ProgramOptions): Promise<ProgramRun> {
    const { environment } = this.machine;
    // Any command may start the service, which is the user's and not ours.
    return runProgram(this.path, args, { ...options, environment, outlivesUs: true });
  }

  /**
   * Asks in the words of one generation and, where those are unknown, of the other. While neither
   * has answered, anything of no use may say that they are unknown: in the user's language, or with a
   * page of help.
   */
  async #report(verb: Verb, call: CliCall): Promise<CliReport> {
    const known = this.#generation;
    const first = known ?? "server";
    const asked = await this.#ask(first, verb, call);
    const isFirstUnknown = asked.answer.kind === "unknown_command";
    if (!isFirstUnknown && !(known === null && endedWithoutAnswer(asked))) {
      return this.#conclude(first, verb, asked);
    }
    const second = first === "server" ? "service" : "server";
    const askedOther = await this.#ask(second, verb, call);
    const isSecondUnknown = askedOther.answer.kind === "unknown_command";
    if (isFirstUnknown) this.#generation = isSecondUnknown ? null : second;
    else if (isSecondUnknown) this.#generation = first;
    if (isFirstUnknown && isSecondUnknown) {
      return { kind: "failed", what: "is unknown to the program of that name" };
    }
    const isFirst = isSecondUnknown || (!isFirstUnknown && endedWithoutAnswer(askedOther));
    return isFirst ? this.#conclude(first, verb, asked) : this.#conclude(second, verb, askedOther);
  }

  #conclude(
    generation: CliGeneration,
    verb: Verb,
    { answer, end, said, timeoutMs }: Asked,
  ): CliReport {
    if (answer.kind === "report" || answer.kind === "broken") this.#generation = generation;
    if (answer.kind === "report") return answer.report;
    if (answer.kind === "broken") return { kind: "failed", what: answer.what };
    // It was content; in which words does not matter, since the status tells the rest.
    if (verb !== "status" && end.kind === "exited" && end.code === 0) {
      return { kind: "running", urls: [], pid: null };
    }
    const what = failureOf(end, said, timeoutMs, this.machine.platform);
    return { kind: "failed", what, ...(end.kind === "not_started" ? { isStartable: false } : {}) };
  }

  async #ask(generation: CliGeneration, verb: Verb, call: CliCall): Promise<Asked> {
    // The older one has no JSON. No other options: with some the newer one finds fewer models (#1065).
    if (generation === "service") return this.#askOnce([generation, verb], verb, call);
    const asked = await this.#askOnce([generation, verb, "-o", "json"], verb, call);
    if (asked.answer.kind !== "unknown_option") return asked;
    return this.#askOnce([generation, verb], verb, call);
  }

  async #askOnce(
    args: readonly string[],
    verb: Verb,
    { signal, timeoutMs: given }: CliCall,
  ): Promise<Asked> {
    const starts = verb !== "status";
    const timeoutMs = given ?? (starts ? START_MS : STATUS_MS);
    const run = await this.#run(args, {
      timeoutMs,
      signal,
      // A first start may fetch what it needs for minutes: ended then, it would begin anew each time.
      whenOver: starts ? "leave" : "end",
      // Some versions go on after the service is up; ended then, it might take the service along.
      leaveWhen: starts ? (soFar) => isRunning(readSoFar(soFar)) : undefined,
    });
    throwIfAborted(run.end);
    return { answer: readAnswer(run), end: run.end, said: readComplaint(run), timeoutMs };
  }
}

const isRunning = (answer: CliAnswer): boolean =>
  answer.kind === "report" && answer.report.kind === "running";

const endedWithoutAnswer = ({ answer, end }: Asked): boolean =>
  answer.kind === "unusable" && end.kind === "exited";

function throwIfAborted(end: ProgramEnd): void {
  if (end.kind === "aborted") throw cancelledError();
}

/** Gatekeeper kills a program that came from the network and is not signed, without a word. */
export const adviceOn = (signal: string, platform: NodeJS.Platform): string =>
  signal === "SIGKILL" && platform === "darwin"
    ? " (macOS does that to a program in quarantine: open it once by hand, or take that off it with xattr -d com.apple.quarantine)"
    : "";

function failureOf(
  end: ProgramEnd,
  said: string | null,
  timeoutMs: number,
  platform: NodeJS.Platform,
): string {
  if (end.kind === "timed_out") return `did not answer within ${timeoutMs / 1000} s`;
  if (end.kind === "not_started") return `could not be started: ${end.reason}`;
  if (end.kind === "exited" && end.signal !== null)
    return `was ended by ${end.signal}${adviceOn(end.signal, platform)}`;
  if (end.kind === "exited" && end.code !== 0) {
    return `ended with exit code ${end.code}${said === null ? "" : ` and said "${said}"`}`;
  }
  return "answered nothing that tells where the service is";
}
