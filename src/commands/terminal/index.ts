export { type Column, columnLines } from "./columns.js";
export { type News, ProgressLine } from "./progress-line.js";
export { type Output, type Screen, terminalScreen } from "./screen.js";
export { asTyped } from "./typed-command.js";
export { paragraph, TIE, textColumns, WrappedText } from "./wrap.js";
