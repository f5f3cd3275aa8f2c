export type { Health, HealthMemory, ServiceHealth } from "./health.js";
/** @internal For the client. */
export { checkHealth } from "./health.js";
export type { HealthProblem } from "./problems.js";
