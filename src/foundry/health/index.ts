export type { Health, HealthMemory } from "./health.js";
/** @internal For the client. */
export { checkHealth, type Diagnosis, type ServiceHealth } from "./health.js";
export type { HealthProblem } from "./problem.js";
