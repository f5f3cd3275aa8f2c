/** Work with files that goes well ends within this. */
const LAST_WAIT_MS = 300;

/**
 * Ends this process, whatever its threads wait for. `process.exit` waits for all that the thread pool has
 * begun, on every system, and a thread that asks a dead network share never comes back. Then only the
 * system can end the process: by SIGKILL, which on Windows is TerminateProcess. Its exit code is lost
 * with that (137, on Windows 1).
 *
 * Call it when all that matters is written and closed, and some time after that: what ends by itself is
 * to have done so.
 *
 * @public Imported by the executable from here, so that its start loads nothing else of this folder.
 */
export function endProcess(): void {
  if (!isWaitingForThreads(process.getActiveResourcesInfo())) process.exit();
  setTimeout(() => {
    if (!isWaitingForThreads(process.getActiveResourcesInfo())) process.exit();
    // What `process.exit` does first: the last lines of the log get out.
    process.emit("exit", Number(process.exitCode ?? 0));
    process.kill(process.pid, "SIGKILL");
  }, LAST_WAIT_MS);
}

/** Whether anything in flight is done by a thread: work with files, or a lookup of a name. */
export const isWaitingForThreads = (resources: readonly string[]): boolean =>
  resources.some((name) => /^(FSReq|GetAddrInfoReq|GetNameInfoReq)/.test(name));
