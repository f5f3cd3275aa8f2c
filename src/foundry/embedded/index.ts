export { EmbeddedService } from "./embedded-service.js";
export { SDK_NAME, sdkInstallation } from "./sdk.js";
