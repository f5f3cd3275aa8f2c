import { open } from "node:fs";
import { endProcess } from "../../src/platform/own-process.js";

/**
 * `node --import tsx ending-process.ts [pipe]`: a thread waits for the other end of the pipe, as one
 * waits for a dead network share, when the process ends.
 */
const [pipe] = process.argv.slice(2);
if (pipe !== undefined) open(pipe, "r", () => {});
process.on("exit", (code) => process.stdout.write(`exit ${code}`));
process.exitCode = 3;
endProcess();
