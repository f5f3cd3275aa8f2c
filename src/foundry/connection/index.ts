export type { Connection } from "./connections.js";
export { type Attempts, CurrentService } from "./current-service.js";
