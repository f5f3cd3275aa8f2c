import { parseArgs } from "node:util";
import { modelRoles, startRealServices } from "./services.js";

/**
 * `npm run real`: starts Microsoft's own services with the tiny models, prints where they
 * answer, and keeps them until Ctrl-C.
 *
 *     npm run real -- --slow-token-ms 50 --slow-load-seconds 10
 */
const { values } = parseArgs({
  options: {
    "slow-token-ms": { type: "string", default: "200" },
    "slow-load-seconds": { type: "string", default: "4" },
  },
});

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const stopped = new Promise<void>((resolve) => {
  // Not once: Ctrl-C comes twice, from the terminal and passed on by tsx.
  process.on("SIGINT", () => resolve());
  process.on("SIGTERM", () => resolve());
});

const running = await startRealServices({
  slowTokenMilliseconds: Number(values["slow-token-ms"]),
  slowLoadSeconds: Number(values["slow-load-seconds"]),
});
for (const { line, reason } of running.skipped) print(`${line} is left out: ${reason}`);
for (const service of running.services) {
  print(`\n${service.line}  ${service.dialect} ${service.sdkVersion}  ${service.url}`);
  for (const role of modelRoles) {
    const { id, alias, family } = service.models[role];
    const where = family === "local" ? "  /catalogs/local" : "";
    print(`  ${role.padEnd(14)} ${id.padEnd(37)} ${alias}${where}`);
  }
}
if (running.services.length > 0) {
  print("\nCtrl-C ends them.");
  let stopping = false;
  for (const service of running.services) {
    void service.ended.then(() => {
      if (!stopping) print(`${service.line} has ended by itself.`);
    });
  }
  await stopped;
  stopping = true;
  await running.stop();
}
