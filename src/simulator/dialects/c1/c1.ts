import type { Dialect, DialectContext } from "../dialect.js";
import { KESTREL } from "../kestrel.js";

/** The closed core 1.x with its web service. */
export function c1(_context: DialectContext): Dialect {
  return {
    profile: KESTREL,
    answer: async ({ reply }) => reply.whole({ status: 404, body: "", contentType: null }),
  };
}
