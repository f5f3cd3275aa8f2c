import { readFileSync } from "node:fs";
import * as z from "zod";

/**
 * The version of this package. The build puts it here as a text: a program that bundles the library has
 * no file of ours beside it.
 */
export const VERSION = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"))).version;
