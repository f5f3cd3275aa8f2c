import { listingOf } from "./tool-listing.js";
import { TOOLS, TOOLS_WITH_FILES } from "./tools/index.js";

/**
 * The answers to `tools/list`. The build replaces this module by its values, so that a starting server
 * makes no JSON Schemas and loads no tools.
 */
export const TOOL_LISTINGS = TOOLS.map((tool) => listingOf(tool, false));

/** The answer where the user allowed folders: with the arguments for files. */
export const FILE_TOOL_LISTINGS = TOOLS_WITH_FILES.map((tool) => listingOf(tool, true));
