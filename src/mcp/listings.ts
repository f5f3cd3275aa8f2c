import { listingOf } from "./tool-listing.js";
import { TOOLS } from "./tools/index.js";

/**
 * The answer to `tools/list`. The build replaces this module by its value, so that a starting server
 * makes no JSON Schemas and loads no tools.
 */
export const TOOL_LISTINGS = TOOLS.map(listingOf);
