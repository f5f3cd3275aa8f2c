export type { TaskCall } from "./task-call.js";
export { Tasks } from "./tasks.js";
