export { EmbeddedService, type EmbeddedServiceOptions } from "./embedded-service.js";
export { sdkInstallation } from "./sdk-install.js";
