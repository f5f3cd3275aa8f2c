import { setFlagsFromString } from "node:v8";

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

/**
 * How a host asks a process to end. Windows knows only SIGINT (Ctrl+C) and SIGHUP (the console was
 * closed); there, a host that wants the process gone closes its stdin or kills it.
 */
const TERMINATION_SIGNALS: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGHUP"];

/** Calls back when the process is asked to end. */
export function onTermination(callback: (signal: NodeJS.Signals) => void): void {
  for (const signal of TERMINATION_SIGNALS) process.on(signal, callback);
}

/** `process.stdout` or `process.stderr`, of which only Node knows whether it is a pipe. */
type StandardStream = typeof process.stdout | typeof process.stderr;

/**
 * On Windows Node writes to a pipe on stdout or stderr in the thread of the event loop and waits until
 * there is room in it: a host that does not read blocks the whole server, even its exit. This gives
 * such a stream the asynchronous writes of every other one, which wait in a queue (`writableLength`).
 * What is still in that queue at `process.exit()` is lost.
 *
 * It undoes `makeSyncWrite` of Node's lib/net.js and `setBlocking(true)` of the handle; where Node has
 * neither, nothing is changed.
 *
 * @returns whether the stream now writes asynchronously for this reason. `false` on other systems, and
 *   for files and consoles.
 */
export function unblock(stream: StandardStream): boolean {
  if (process.platform !== "win32") return false;
  const handle: unknown = Reflect.get(stream, "_handle");
  if (typeof handle !== "object" || handle === null) return false;
  const setBlocking: unknown = Reflect.get(handle, "setBlocking");
  if (typeof setBlocking !== "function") return false;
  if (Reflect.apply(setBlocking, handle, [false]) !== 0) return false;
  for (const own of ["_write", "_writev"]) {
    if (Object.hasOwn(stream, own)) Reflect.deleteProperty(stream, own);
  }
  return true;
}

/**
 * Lets V8 collect garbage before the heap has grown far. A server with 27 MB in use had grown to three times
 * that otherwise, beside a model that needs the memory, and many hosts start one each. A call costs more CPU
 * time for it, which is nothing beside the time of a model (`npm run bench`).
 *
 * The flag steers when the heap grows, so it may be set while the process runs; V8 ignores a flag that it
 * does not know.
 */
export const keepHeapSmall = (): void => setFlagsFromString("--optimize-for-size");
