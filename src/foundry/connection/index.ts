export { Attempts, afterDeath, type Connection, CurrentService } from "./current-service.js";
