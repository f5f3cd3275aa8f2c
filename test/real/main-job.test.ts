import { afterAll, describe, test } from "vitest";
import { describeMainJob } from "../e2e/main-job.js";
import type { Target } from "../e2e/target.js";
import { type RealService, startRealServices } from "./services.js";

// Slow enough to step in, fast enough to be waited for.
const real = await startRealServices({ slowTokenMilliseconds: 100, slowLoadSeconds: 3 });
afterAll(() => real.stop());

// Mostly all for the same reason, which is then said once.
for (const reason of new Set(real.skipped.map((skipped) => skipped.reason))) {
  const lines = real.skipped.filter((skipped) => skipped.reason === reason);
  const names = lines.map(({ line }) => line).join(", ");
  process.stderr.write(`Skipped: ${names}: ${reason}\n`);
  describe(`the main job on ${names}`, () => {
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
      countTokens: true,
      tellThoughts: !is20,
      tellBusy: !isCore1,
      holdToSchema: true,
      takeToolResults: !is20,
      readResultsInText: false,
      tellTasks: true,
    },
    // It ends with the file.
    close: async () => {},
  };
}
