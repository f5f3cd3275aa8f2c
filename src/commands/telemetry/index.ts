export { telemetryOf } from "./telemetry.js";
