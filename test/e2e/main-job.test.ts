import { NEWEST_C2 } from "foundry-local-simulator";
import { describeMainJob } from "./main-job.js";
import { simulatorTarget } from "./simulator-target.js";

/** `main-job.long.test.ts` has the other services. */
describeMainJob(`a simulated C2 ${NEWEST_C2}`, () =>
  simulatorTarget({ dialect: "C2", version: NEWEST_C2 }),
);
