export { checkHealth, type Health, type HealthMemory } from "./health.js";
export type { HealthProblem } from "./problems.js";
