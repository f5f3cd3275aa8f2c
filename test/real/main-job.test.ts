import { afterAll, describe, test } from "vitest";
import { describeMainJob } from "../e2e/main-job.js";
import type { Target } from "../e2e/target.js";
import { type RealService, startRealServices } from "./services.js";

// Slow enough to step in, fast enough to be waited for.
const real = await startRealServices({ slowTokenMilliseconds: 100, slowLoadSeconds: 3 });
afterAll(() => real.stop());

for (const { line, reason } of real.skipped) {
  process.stderr.write(`${line} is skipped: ${reason}\n`);
  describe(`the main job on ${line}`, () => {
    test.skip(`needs what this machine does not have: ${reason}`, () => {});
  });
}

for (const service of real.services) {
  describeMainJob(`${service.dialect} ${service.sdkVersion}`, async () => targetOf(service));
}

function targetOf({ dialect, sdkVersion, url, models }: RealService): Target {
  const isCore1 = dialect === "C1";
  const is20 = sdkVersion.startsWith("2.0.");
  return {
    dialect,
    endpoint: url,
    models,
    can: {
      load: true,
      loadOlderVersion: isCore1,
      stopWhenLeft: !is20,
      nameFailures: !isCore1,
      tellThoughts: !is20,
      tellBusy: !isCore1,
      tellTasks: true,
    },
    // It ends with the file.
    close: async () => {},
  };
}
