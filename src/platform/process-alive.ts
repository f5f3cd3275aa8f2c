/**
 * Whether a process with this id is there now. The id alone does not show whether it still is the
 * same process: systems give ids out again.
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
