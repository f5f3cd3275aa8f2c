import path from "node:path";
import type { Machine } from "./machine.js";

/** Windows takes `Path` and `PATH` for the same, a copy of its variables does not. */
export function windowsVariable(
  environment: Machine["environment"],
  name: string,
): string | undefined {
  const key = Object.keys(environment).find((each) => each.toUpperCase() === name);
  return key === undefined ? undefined : environment[key];
}

/**
 * The full path of a program of Windows itself, below `System32`. By its name alone Windows looks for
 * it in the current folder first, which for a server is the folder that an editor has open.
 */
export function windowsProgram(name: string, environment: Machine["environment"]): string {
  const given = windowsVariable(environment, "SYSTEMROOT");
  const root = given !== undefined && /^[a-z]:[\\/]/i.test(given) ? given : "C:\\Windows";
  return path.win32.join(root, "System32", name);
}

/** `%NAME%` replaced as the Explorer does it; one that is not set stays as it is. */
export const withWindowsVariables = (text: string, environment: Machine["environment"]): string =>
  text.replace(/%([^%\\/:]+)%/g, (whole, name: string) => {
    return windowsVariable(environment, name.toUpperCase()) ?? whole;
  });
