import { describe, expect, it } from "vitest";
import { TOOL_LISTINGS } from "../../src/mcp/listings.js";
import { listingsWith } from "../../src/mcp/route-tools.js";

const description = "Writes code with the local model for it";

describe("the list of tools with routes", () => {
  it("is unchanged without routes", () => {
    expect(listingsWith(TOOL_LISTINGS, {})).toEqual(TOOL_LISTINGS);
  });

  it("names the routes in the argument `model`, and is otherwise unchanged", () => {
    const [complete, ...others] = listingsWith(TOOL_LISTINGS, { code: {}, creative: {} });
    expect(JSON.stringify(complete)).toContain(". Or a purpose: code, creative");
    expect(others).toEqual(TOOL_LISTINGS.slice(1));
  });

  it("has a tool for each route with `tool`, without the argument `model`", () => {
    const listed = listingsWith(TOOL_LISTINGS, { code: { tool: true, description }, plain: {} });
    const own = listed.slice(TOOL_LISTINGS.length);
    const [complete] = TOOL_LISTINGS;
    expect(own.map(({ name }) => name)).toEqual(["complete_code"]);
    expect(own[0]).toMatchObject({
      title: "Complete: code",
      description,
      outputSchema: complete?.outputSchema,
      annotations: complete?.annotations,
    });
    const names = Object.keys(own[0]?.inputSchema.properties ?? {});
    expect(names).toContain("prompt");
    expect(names).not.toContain("model");
    expect(names).not.toContain("models");
  });
});
