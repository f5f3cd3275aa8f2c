export { CannotEdit, type Format, type Place } from "./format.js";
export { json } from "./json.js";
export { toml } from "./toml.js";
export { yaml } from "./yaml.js";
