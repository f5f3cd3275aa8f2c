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
export function unblock(
  stream: StandardStream,
  platform: NodeJS.Platform = process.platform,
): boolean {
  if (platform !== "win32") return false;
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
