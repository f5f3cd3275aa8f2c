import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { Socket } from "node:net";
import path from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { deferred, MAX_TIMER_MS, MOST_ANSWER_BYTES, onAbort, systemCodeOf } from "../lib/index.js";
import { homeFolder } from "./machine.js";
import {
  firstChildStarted,
  isPassingFault,
  launchFailure,
  launchOf,
  type StartedAs,
} from "./program-launch.js";
import { ProgramOutput } from "./program-output.js";

export type ProgramEnd =
  | { readonly kind: "exited"; readonly code: number | null; readonly signal: string | null }
  /** It was ended by us, or left as `whenOver` says. What it had started itself was not: that may be the user's service. */
  | { readonly kind: "timed_out" }
  | { readonly kind: "aborted" }
  /** It had said enough (`leaveWhen`) and still runs. Never without `leaveWhen`. */
  | { readonly kind: "left" }
  /**
   * It could not be started at all: `reason` is a clause for people, without a path. `isPassing` where
   * the system could not do so at the moment, and may in a while.
   */
  | { readonly kind: "not_started"; readonly reason: string; readonly isPassing?: true };

export interface ProgramRun {
  readonly end: ProgramEnd;
  /**
   * Decoded as UTF-8, whatever was not is replaced. The middle of more than 1 MB is left out, and all
   * that comes after `MOST_OUTPUT_BYTES`.
   */
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with each piece of output, of stdout and stderr alike. */
  readonly onOutput?: ((text: string) => void) | undefined;
  /** Its variables, to which those that ask for plain output are added. Default: our own. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** It, or what it starts, goes on when we end, and when a terminal ends all that runs in it. */
  readonly outlivesUs?: boolean | undefined;
  /** What becomes of it when its time is up, or its signal is aborted. Default `end`. */
  readonly whenOver?: "end" | "leave" | undefined;
  /** Asked after each output, while that is no longer than an answer is. From the first `true` on the program is left to itself. */
  readonly leaveWhen?: ((soFar: Omit<ProgramRun, "end">) => boolean) | undefined;
}

/** For a program that was asked to end, and again for one that was killed. */
const GRACE_MS = 1000;
/** After its exit, what it wrote may still be on its way. */
const QUIET_MS = 50;
/** For what others, who inherited its pipes, go on writing. */
const LONGEST_DRAIN_MS = 500;
/** Waits before a program is started again that could not be started at the moment. */
const START_AGAIN_MS = [50, 200, 500] as const;

/**
 * Runs a program without a shell, in the user's home. Resolves when it has exited, though others may
 * hold its pipes: the service that `foundry server start` leaves behind does. Rejects only with what
 * `onOutput` or `leaveWhen` throw.
 *
 * @param file An absolute path. JavaScript files are run with the Node that runs us.
 */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<ProgramRun> {
  const launch = launchOf(file, args, {
    platform: process.platform,
    node: process.execPath,
    outlivesUs: options.outlivesUs ?? false,
    mayBeLeft: options.whenOver === "leave" || options.leaveWhen !== undefined,
  });
  if ("refused" in launch) return nothingRan({ kind: "not_started", reason: launch.refused });
  await firstChildStarted();
  for (let retry = 0; ; retry += 1) {
    if (options.signal?.aborted) return nothingRan({ kind: "aborted" });
    const run = await runOnce(launch, options);
    const delay = START_AGAIN_MS[retry];
    const isPassing = run.end.kind === "not_started" && run.end.isPassing === true;
    if (!isPassing || delay === undefined) return run;
    await wait(delay, undefined, { signal: options.signal }).catch(() => {});
  }
}

async function runOnce(launch: StartedAs, options: ProgramOptions): Promise<ProgramRun> {
  let child: Child;
  try {
    child = spawn(launch.command, [...launch.args], {
      cwd: neutralFolder(),
      env: { ...(options.environment ?? process.env), ...PLAIN_OUTPUT },
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
      detached: launch.detached,
    });
  } catch (thrown) {
    return nothingRan(notStarted(systemCodeOf(thrown)));
  }
  if (child.pid !== undefined) {
    const run = await new RunningProgram(child, options).done;
    return launch.isLauncher ? withoutLauncher(run) : run;
  }
  // It may have no pipes then, whatever its type says.
  const [error]: unknown[] = await once(child, "error");
  return nothingRan(notStarted(systemCodeOf(error)));
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

/** Colours and progress bars are for terminals; the last one is for .NET, which obeys nothing else. */
const PLAIN_OUTPUT = {
  NO_COLOR: "1",
  TERM: "dumb",
  DOTNET_SYSTEM_CONSOLE_ALLOW_ANSI_COLOR_REDIRECTION: "0",
} as const;

/** Not the folder that we were started in: a service would keep it from being moved or removed. */
function neutralFolder(): string {
  const home = homeFolder();
  return existsSync(home) ? home : path.parse(process.execPath).root;
}

const nothingRan = (end: ProgramEnd): ProgramRun => ({ end, stdout: "", stderr: "" });

/** As if the launcher between us and the program were not there. */
function withoutLauncher(run: ProgramRun): ProgramRun {
  const failure = run.end.kind === "exited" ? launchFailure(run.end.code) : null;
  return failure === null ? run : nothingRan(notStarted(failure || null));
}

const notStarted = (code: string | null): ProgramEnd => ({
  kind: "not_started",
  reason: reasonOf(code),
  ...(isPassingFault(code) ? { isPassing: true } : {}),
});

function reasonOf(code: string | null): string {
  switch (code) {
    case "EAGAIN":
    case "ENOMEM":
    case "EMFILE":
    case "ENFILE":
      return "the system has no room for another program at the moment";
    case "ETXTBSY":
    case "EBUSY":
      return "its file is being written";
    case "ENOENT":
      return "there is no such file";
    case "EACCES":
    case "EPERM":
      return "it may not be executed";
    case "ENOEXEC":
    case "UNKNOWN":
      return "it is no program for this system";
    default:
      return code === null ? "the system refuses it" : `the system says ${code}`;
  }
}

class RunningProgram {
  readonly #run = deferred<ProgramRun>();
  readonly done = this.#run.promise;
  readonly #child: Child;
  readonly #options: ProgramOptions;
  readonly #stdout = new ProgramOutput();
  readonly #stderr = new ProgramOutput();
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopListening = () => {};
  /** Why it is being ended by us, or how it ended itself. */
  #end: ProgramEnd | null = null;
  #isDone = false;

  constructor(child: Child, options: ProgramOptions) {
    this.#child = child;
    this.#options = options;
    // Of `kill`, which may fail; its limits end the wait all the same.
    child.on("error", () => {});
    this.#read(child.stdout, this.#stdout);
    this.#read(child.stderr, this.#stderr);
    child.once("exit", (code, signal) => this.#onExit(code, signal));
    // The program has exited and its pipes are closed: all of its output has been read.
    child.once("close", () => this.#finish());
    const over = (end: ProgramEnd): void => {
      if (options.whenOver !== "leave") this.#stop(end);
      else if (this.#end === null) this.#leave(end);
    };
    this.#after(Math.min(options.timeoutMs, MAX_TIMER_MS), () => over({ kind: "timed_out" }));
    if (options.signal !== undefined) {
      this.#stopListening = onAbort(options.signal, () => over({ kind: "aborted" }));
    }
  }

  #read(pipe: Readable, output: ProgramOutput): void {
    pipe.on("error", () => {});
    pipe.on("data", (bytes: Buffer) => this.#onText(output.add(bytes)));
    pipe.once("end", () => this.#onText(output.end()));
  }

  #onText(text: string): void {
    if (this.#isDone || text === "") return;
    const { onOutput, leaveWhen } = this.#options;
    try {
      onOutput?.(text);
      if (this.#end !== null || this.#bytes > MOST_ANSWER_BYTES) return;
      if (leaveWhen?.(this.#soFar())) this.#leave({ kind: "left" });
    } catch (thrown) {
      this.#child.kill("SIGKILL");
      this.#fail(thrown);
    }
  }

  get #bytes(): number {
    return this.#stdout.bytes + this.#stderr.bytes;
  }

  #soFar(): Omit<ProgramRun, "end"> {
    return { stdout: this.#stdout.text, stderr: this.#stderr.text };
  }

  #onExit(code: number | null, signal: string | null): void {
    this.#end ??= { kind: "exited", code, signal };
    if (this.#isDone) {
      this.#release();
      return;
    }
    this.#after(LONGEST_DRAIN_MS, () => this.#finish());
    this.#finishWhenQuiet();
  }

  /** Not waited for: a process that inherited the pipes may hold them for days. */
  #finishWhenQuiet(): void {
    const before = this.#bytes;
    this.#after(QUIET_MS, () => {
      // On a busy machine the timer is due before the pipes have been looked at.
      setImmediate(() => {
        if (this.#bytes === before) this.#finish();
        else this.#finishWhenQuiet();
      });
    });
  }

  /** Ends the program, and nothing that it started. */
  #stop(end: ProgramEnd): void {
    if (this.#end !== null) return;
    this.#end = end;
    this.#child.kill("SIGTERM");
    this.#after(GRACE_MS, () => {
      this.#child.kill("SIGKILL");
      this.#after(GRACE_MS, () => this.#finish());
    });
  }

  /** It runs on. What it writes is read and dropped, so that it is never held up by a full pipe. */
  #leave(end: ProgramEnd): void {
    this.#end = end;
    this.#conclude();
    this.#child.unref();
    for (const pipe of [this.#child.stdout, this.#child.stderr]) {
      pipe.removeAllListeners("data").resume();
      if (pipe instanceof Socket) pipe.unref();
    }
  }

  #finish(): void {
    if (this.#isDone) return;
    for (const output of [this.#stdout, this.#stderr]) this.#onText(output.end());
    this.#conclude();
    this.#release();
  }

  #fail(thrown: unknown): void {
    this.#run.reject(thrown);
    this.#conclude();
    this.#release();
  }

  #conclude(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#stopListening();
    this.#run.resolve({ end: this.#end ?? { kind: "timed_out" }, ...this.#soFar() });
  }

  #release(): void {
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
    this.#child.unref();
  }

  #after(milliseconds: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, milliseconds);
    this.#timers.add(timer);
  }
}
