/** A process that has no file left to open when it starts the embedded service. Prints the error. */
import { openSync } from "node:fs";
import { SdkProcess } from "../../../src/foundry/embedded/sdk-process.js";
import { toFoundryError } from "../../../src/lib/index.js";
import { silentLogger } from "../../../src/log.js";

const settings = { appName: "none", modelCacheDir: "none", logsDir: "none" };
// What is loaded and opened at the first output has to be there before.
process.stdout.write("\n");
try {
  for (;;) openSync(process.execPath, "r");
} catch {
  // All files are open.
}
const child = new SdkProcess({ file: "none.js", environment: process.env, log: silentLogger });
const started = child.listen("none", { ...settings, logLevel: "warn" });
const error = toFoundryError(await started.catch((thrown: unknown) => thrown));
process.stdout.write(`${error.code}: ${error.message}\n`);
