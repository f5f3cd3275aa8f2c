export { runKeeper } from "./keeper.js";
export { Keeping } from "./keeping.js";
export { type Answered, type Kept, NOTHING_KEPT } from "./kept.js";
export { keeperHolds } from "./link.js";
export type { SettingsSource } from "./messages.js";
