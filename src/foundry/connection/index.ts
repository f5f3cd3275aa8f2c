export type { Connection } from "./connection.js";
export { type Attempts, CurrentService } from "./current-service.js";
