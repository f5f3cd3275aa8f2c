/**
 * How a host asks a process to end. Windows knows only SIGINT (Ctrl+C) and SIGHUP (the console was
 * closed); there, a host that wants the process gone closes its stdin or kills it.
 */
const TERMINATION_SIGNALS: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT", "SIGHUP"];

/** Calls back when the process is asked to end; returns what takes the callback away again. */
export function onTermination(callback: (signal: NodeJS.Signals) => void): () => void {
  for (const signal of TERMINATION_SIGNALS) process.on(signal, callback);
  return () => {
    for (const signal of TERMINATION_SIGNALS) process.off(signal, callback);
  };
}
