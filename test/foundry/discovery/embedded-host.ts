/** A process that starts the embedded service and does not close it. */
import { EmbeddedService } from "../../../src/foundry/embedded/index.js";

const [home = "", folder = "", childFile = "", failing = ""] = process.argv.slice(2);
const silent = () => {};
const service = new EmbeddedService({
  machine: {
    platform: process.platform,
    arch: process.arch,
    home,
    environment: { ...process.env, STAND_IN_SDK: failing },
  },
  directories: [folder],
  childFile,
  log: {
    trace: silent,
    debug: (fields) => process.stdout.write(`${JSON.stringify(fields)}\n`),
    info: silent,
    warn: silent,
    error: silent,
  },
});
// The process lives until its stdin ends; nothing else keeps it alive.
process.stdin.resume();
await service.start();
