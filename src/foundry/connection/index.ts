export type { Connection } from "./connection.js";
export { CurrentService, type Tries } from "./current-service.js";
