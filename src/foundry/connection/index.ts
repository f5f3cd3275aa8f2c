export type { Connection } from "./connections.js";
export { afterDeath, CurrentService, noAttempts } from "./current-service.js";
