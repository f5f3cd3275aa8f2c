import type { Dialect, DialectContext } from "../dialect.js";
import { KESTREL } from "../kestrel.js";

/** The closed service of the old command line. */
export function s(_context: DialectContext): Dialect {
  return {
    profile: KESTREL,
    answer: async ({ reply }) => reply.whole({ status: 404, body: "", contentType: null }),
  };
}
