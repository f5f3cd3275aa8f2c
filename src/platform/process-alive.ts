/**
 * Whether a process with this id exists now. It may be another process than before: systems reuse
 * ids.
 *
 * @param pid A whole number above 0; `kill` means groups of processes by all others.
 */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process is there as well.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
