export { serviceDialect, serviceStatusSchema } from "./legacy.js";
