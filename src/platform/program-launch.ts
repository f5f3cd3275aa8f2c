import path from "node:path";

export interface LaunchSetting {
  readonly platform: NodeJS.Platform;
  /** The Node that runs JavaScript files. */
  readonly node: string;
  readonly outlivesUs: boolean;
}

export type Launch =
  | {
      readonly command: string;
      readonly args: readonly string[];
      /** In a session of its own. */
      readonly detached: boolean;
    }
  /** Why it cannot be started, as a clause for people. */
  | { readonly refused: string };

/** How a file is started without a shell. */
export function launchOf(file: string, args: readonly string[], setting: LaunchSetting): Launch {
  const onWindows = setting.platform === "win32";
  const { isAbsolute, extname } = onWindows ? path.win32 : path.posix;
  // The system would look for a bare name in places that a project's folder may be among.
  if (!isAbsolute(file)) return { refused: "its path is not absolute" };
  const extension = extname(file).toLowerCase();
  if (onWindows && [".cmd", ".bat", ".ps1"].includes(extension)) {
    return { refused: "it is a script for a shell, and nothing is run through one" };
  }
  // Windows would give a detached program no console, and each program that it starts a visible one.
  // Nor does it need to be: what it starts is not ended with us there.
  const detached = setting.outlivesUs && !onWindows;
  // Windows knows nothing of the line that names the interpreter.
  return [".js", ".mjs", ".cjs"].includes(extension)
    ? { command: setting.node, args: [file, ...args], detached }
    : { command: file, args, detached };
}
