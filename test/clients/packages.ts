import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { CannotRunHere, npmPackages, pythonPackages } from "../installed.js";

/** Where the clients are installed, once for each choice of versions. */
const folder = fileURLToPath(new URL("../../.clients/", import.meta.url));
const NODE_22 = "22.23.3";

export const fromNpm = (packages: readonly string[]): Promise<string> =>
  npmPackages(join(folder, "npm"), packages);

export const fromPyPi = (packages: readonly string[]): Promise<string> =>
  pythonPackages(join(folder, "python"), packages);

/**
 * A Node of version 22 for programs that do not run on 20: this one where it is new enough.
 *
 * @throws CannotRunHere
 */
export async function newerNode(): Promise<string> {
  if (Number(process.versions.node.split(".")[0]) >= 22) return process.execPath;
  const name = `node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;
  const installed = await fromNpm([`${name}@${NODE_22}`]);
  const file = process.platform === "win32" ? "node.exe" : "node";
  const path = join(installed, "node_modules", name, "bin", file);
  if (existsSync(path)) return path;
  throw new CannotRunHere(`${name} has no executable`);
}
