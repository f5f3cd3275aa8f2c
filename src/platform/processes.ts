import { readFile } from "node:fs/promises";
import os from "node:os";
import { systemCodeOf } from "../lib/index.js";
import { windowsProgram } from "./paths.js";
import { runProgram } from "./run-program.js";

export interface ProcessFigures {
  readonly memoryMb: number;
  readonly uptimeSeconds: number;
}

const MB = 1024 * 1024;

/** PowerShell, which it takes on Windows, may need its time; a health check does not wait for it. */
const PATIENCE_MS = 2500;

/** Of `/proc`, on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Memory (resident) and age of a process by its id; `null` when the system does not report them. */
export async function processFigures(pid: number): Promise<ProcessFigures | null> {
  switch (process.platform) {
    case "linux":
      return ofProc(pid);
    case "win32":
      return ofPowerShell(pid);
    default:
      return ofPs(pid);
  }
}

async function ofProc(pid: number): Promise<ProcessFigures | null> {
  const read = (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, "utf8");
  const [stat, status] = await Promise.all([read("stat"), read("status")]).catch(() => ["", ""]);
  return figuresFromProc(stat ?? "", status ?? "", os.uptime());
}

/** Read from `/proc/PID/stat` and `/proc/PID/status`, with the seconds that the machine has been up. */
export function figuresFromProc(
  stat: string,
  status: string,
  machineUptime: number,
): ProcessFigures | null {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  // The name of the program, in parentheses, may hold anything; the 20th word after it is the start.
  const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  if (kilobytes === undefined || start === undefined) return null;
  return figures(Number(kilobytes) / 1024, machineUptime - Number(start) / TICKS_PER_SECOND);
}

async function ofPs(pid: number): Promise<ProcessFigures | null> {
  // Each with a flag of its own: by POSIX, all behind a "=" is the header of that column.
  const args = ["-o", "etime=", "-o", "rss=", "-p", String(pid)];
  const { stdout } = await runProgram("/bin/ps", args, { timeoutMs: PATIENCE_MS });
  return figuresFromPs(stdout);
}

/** Read from `ps -o etime= -o rss=`, such as `2-03:04:05 12345`. */
export function figuresFromPs(output: string): ProcessFigures | null {
  const [, days, hours, minutes, seconds, kilobytes] =
    /^\s*(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)\s+(\d+)\s*$/.exec(output) ?? [];
  if (minutes === undefined || seconds === undefined || kilobytes === undefined) return null;
  const wholeHours = Number(days ?? 0) * 24 + Number(hours ?? 0);
  const uptime = (wholeHours * 60 + Number(minutes)) * 60 + Number(seconds);
  return figures(Number(kilobytes) / 1024, uptime);
}

async function ofPowerShell(pid: number): Promise<ProcessFigures | null> {
  const program = windowsProgram("WindowsPowerShell\\v1.0\\powershell.exe", process.env);
  // Whole numbers, since those with a fraction are written in the user's language.
  const command = `$p = Get-Process -Id ${pid}; $p.WorkingSet64; [int64]((Get-Date) - $p.StartTime).TotalSeconds`;
  const args = ["-NoProfile", "-NonInteractive", "-Command", command];
  const { stdout } = await runProgram(program, args, { timeoutMs: PATIENCE_MS });
  return figuresFromPowerShell(stdout);
}

/** Read from two lines: bytes, and seconds. */
export function figuresFromPowerShell(output: string): ProcessFigures | null {
  const [, bytes, seconds] = /^\s*(\d+)\s+(\d+)\s*$/.exec(output) ?? [];
  if (bytes === undefined || seconds === undefined) return null;
  return figures(Number(bytes) / MB, Number(seconds));
}

function figures(memoryMb: number, uptimeSeconds: number): ProcessFigures | null {
  // A container may count the uptime of the machine from its own start.
  if (!Number.isFinite(memoryMb) || !(uptimeSeconds >= 0)) return null;
  return { memoryMb: Math.round(memoryMb), uptimeSeconds: Math.round(uptimeSeconds) };
}

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
    return systemCodeOf(error) === "EPERM";
  }
}
