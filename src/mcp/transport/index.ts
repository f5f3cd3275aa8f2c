export { GuardedTransport } from "./guarded-transport.js";
export { readingOf, tooManyMessages, withoutNulls } from "./json-rpc.js";
export { LineTransport } from "./line-transport.js";
export { RateLimit } from "./rate-limit.js";
