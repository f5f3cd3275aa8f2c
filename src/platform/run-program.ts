/** How a run of a program ended. */
export type ProgramEnd =
  | { readonly kind: "exited"; readonly code: number | null; readonly signal: string | null }
  /** It was ended by us, with all it had started that we know of. */
  | { readonly kind: "timed_out" }
  | { readonly kind: "aborted" }
  /** It could not be started at all: missing, not executable. */
  | { readonly kind: "not_started"; readonly reason: string };

export interface ProgramRun {
  readonly end: ProgramEnd;
  /** Decoded as UTF-8, whatever was not is replaced. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Told what it writes, as it comes, stdout and stderr alike. */
  readonly onOutput?: ((text: string) => void) | undefined;
}

/** Runs a program without a shell. Resolves when it has exited, though others may hold its pipes. */
export async function runProgram(
  _file: string,
  _args: readonly string[],
  _options: ProgramOptions,
): Promise<ProgramRun> {
  throw new Error("being built");
}
