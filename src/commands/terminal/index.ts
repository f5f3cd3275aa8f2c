export { type Screen, terminalScreen } from "./screen.js";
export { TIE } from "./wrap.js";
