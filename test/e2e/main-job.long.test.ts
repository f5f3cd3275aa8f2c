import { describeMainJob } from "./main-job.js";
import { simulatorTarget } from "./simulator-target.js";

/** The oldest that a user can still have. */
const OLDEST_C2 = "2.0.1";

describeMainJob(`a simulated C2 ${OLDEST_C2}`, () =>
  simulatorTarget({ dialect: "C2", version: OLDEST_C2 }),
);
describeMainJob("a simulated S", () => simulatorTarget({ dialect: "S" }));
describeMainJob("a simulated C1", () => simulatorTarget({ dialect: "C1" }));
describeMainJob("a simulated OpenAI-compatible engine", () =>
  simulatorTarget({ dialect: "openai" }),
);
