import { spawn } from "node:child_process";
import { pathsOf } from "./paths.js";

interface LaunchSetting {
  readonly platform: NodeJS.Platform;
  /** The Node that runs JavaScript files. */
  readonly node: string;
  readonly outlivesUs: boolean;
  /** It may still run when we have stopped waiting for it. */
  readonly mayBeLeft: boolean;
}

export interface StartedAs {
  readonly command: string;
  readonly args: readonly string[];
  /** In a session of its own. */
  readonly detached: boolean;
  /** The command is {@link LAUNCHER}, whose exit code may be one of {@link launchFailure}. */
  readonly isLauncher: boolean;
}

/** `refused`: why it cannot be started, as a clause for people. */
type Launch = StartedAs | { readonly refused: string };

/** How a file is started without a shell. */
export function launchOf(file: string, args: readonly string[], setting: LaunchSetting): Launch {
  const onWindows = setting.platform === "win32";
  const { isAbsolute, extname } = pathsOf(setting.platform);
  // The system would look for a bare name in places that a project's folder may be among.
  if (!isAbsolute(file)) return { refused: "its path is not absolute" };
  const extension = extname(file).toLowerCase();
  if (onWindows && [".cmd", ".bat", ".ps1"].includes(extension)) {
    return { refused: "it is a script for a shell, and nothing is run through one" };
  }
  // Windows knows nothing of the line that names the interpreter.
  const line = [".js", ".mjs", ".cjs"].includes(extension) ? [setting.node, file] : [file];
  const [command = file, ...rest] = [...line, ...args];
  if (!onWindows) return { command, args: rest, detached: setting.outlivesUs, isLauncher: false };
  // On Windows a program is ended with us, what it has started itself is not: only one that may be
  // left needs to outlive us.
  if (!setting.outlivesUs || !setting.mayBeLeft) {
    return { command, args: rest, detached: false, isLauncher: false };
  }
  const launched = ["-e", LAUNCHER, "--", command, ...rest];
  return { command: setting.node, args: launched, detached: true, isLauncher: true };
}

/** Whether a start that the system refused with this code may succeed in a moment: it is short of something, or the file is being replaced. */
export const isPassingFault = (code: unknown): boolean => PASSING.some((each) => each === code);

/** `ETXTBSY`, and `EBUSY` on Windows, are about a file that another program writes. */
const PASSING = ["EAGAIN", "ENOMEM", "EMFILE", "ENFILE", "ETXTBSY", "EBUSY"] as const;

/** Errors that the launcher hands on, in the order of their exit codes. */
const NOT_STARTED = ["ENOENT", "EACCES", "EPERM", "ENOEXEC", "UNKNOWN", ...PASSING] as const;
/** No program ends with codes like these. */
const FIRST_CODE = 0x4e6f0000;

/**
 * On Windows, a program that we start is ended with us unless it is detached; but then it has no
 * console, and each program that it starts gets a visible one. So a small Node is detached in between:
 * it starts the program with a hidden console and waits for it. When that Node is ended, so is the
 * program.
 */
const LAUNCHER = `const { spawn } = require("node:child_process");
const [command, ...args] = process.argv.slice(1);
const failed = ({ code }) => process.exit(${FIRST_CODE} + 1 + ${JSON.stringify(NOT_STARTED)}.indexOf(code));
try {
  const child = spawn(command, args, { stdio: "inherit", windowsHide: true });
  child.on("error", failed);
  child.on("exit", (code) => process.exit(code ?? 1));
} catch (error) { failed(error); }`;

/** Why the launcher could not start the program: a code of the system, or `""`; `null` where it did. */
export function launchFailure(exitCode: number | null): string | null {
  const index = (exitCode ?? 0) - FIRST_CODE;
  return index < 0 || index > NOT_STARTED.length ? null : (NOT_STARTED[index - 1] ?? "");
}

/**
 * Whether something harmless has to be the first program that we start. On Windows a process and its
 * children share a job. When the first program put into it is one of the Store, as Foundry Local is,
 * Windows refuses to put the next one into it, and libuv before 1.47 (Node 20) aborts the whole process
 * for that. Later versions put our own process into it first.
 */
export function needsFirstChild(platform: NodeJS.Platform, libuv: string | undefined): boolean {
  if (platform !== "win32" || libuv === undefined) return false;
  const [major = 0, minor = 0] = libuv.split(".").map(Number);
  return major < 1 || (major === 1 && minor < 47);
}

let started: Promise<void> | null = null;

/** Once, where it is needed: Node says its version, in some 50 ms. */
export function firstChildStarted(): Promise<void> {
  started ??= needsFirstChild(process.platform, process.versions.uv)
    ? harmless()
    : Promise.resolve();
  return started;
}

const harmless = (): Promise<void> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ["--version"], { stdio: "ignore", windowsHide: true });
    child.once("error", () => resolve());
    child.once("exit", () => resolve());
  });
