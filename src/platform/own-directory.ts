import path from "node:path";
import type { Machine } from "./machine.js";

/**
 * Where this package keeps what its processes share. Under the home on every platform and told by no
 * variable: hosts hand on different environments, and whoever looked elsewhere would share nothing.
 * The system's temporary folder will not do, which is everybody's on Linux.
 */
export function ownDirectory({ platform, home }: Pick<Machine, "platform" | "home">): string {
  const { join } = platform === "win32" ? path.win32 : path.posix;
  return join(home, ".foundry-local-mcp");
}
