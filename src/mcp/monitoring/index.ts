export { Monitoring } from "./monitoring.js";
