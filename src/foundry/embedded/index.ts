export { EmbeddedService, type EmbeddedServiceOptions } from "./embedded-service.js";
export { SDK_NAME, sdkInstallation } from "./sdk.js";
