export { afterDeath, noAttempts } from "./attempts.js";
export type { Connection } from "./connections.js";
export { CurrentService } from "./current-service.js";
