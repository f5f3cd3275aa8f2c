export { Queue, type Waiter } from "./queue.js";
