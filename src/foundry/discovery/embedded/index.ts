export { EmbeddedService, type EmbeddedServiceOptions } from "./embedded-service.js";
