import os from "node:os";
import pidusage from "pidusage";

/** Figures of a process of this machine, and of the machine itself. */
export interface ProcessFigures {
  readonly memoryMb: number;
  readonly uptimeSeconds: number;
}

export interface MachineMemory {
  readonly totalMb: number;
  readonly freeMb: number;
}

const MB = 1024 * 1024;

/** PowerShell, which it takes on Windows, may need its time; a health check does not wait for it. */
const PATIENCE_MS = 2500;

/** Memory (resident) and age of a process by its id; `null` when the system does not tell. */
export async function processFigures(pid: number): Promise<ProcessFigures | null> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), PATIENCE_MS);
  });
  const figures = pidusage(pid).then(
    ({ memory, elapsed }) => ({
      memoryMb: Math.round(memory / MB),
      uptimeSeconds: Math.round(elapsed / 1000),
    }),
    // Gone, or another user's.
    () => null,
  );
  return Promise.race([figures, tooLate]).finally(() => clearTimeout(timer));
}

export function machineMemory(): MachineMemory {
  return { totalMb: Math.round(os.totalmem() / MB), freeMb: Math.round(os.freemem() / MB) };
}
