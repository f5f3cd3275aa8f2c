import type { Tool as ToolListing } from "@modelcontextprotocol/server";
import { isMembers } from "../lib/index.js";
import type { Tool } from "./tool.js";

/** What the tools need of the routes of the user, which the client has by the same names. */
export type NamedRoutes = Readonly<
  Record<string, { readonly tool?: boolean | undefined; readonly description?: string | undefined }>
>;

/** The tool whose variants the routes are. */
const BASE = "complete";

const toolName = (route: string): string => `${BASE}_${route}`;

const withTools = (routes: NamedRoutes) =>
  Object.entries(routes).filter(([, { tool }]) => tool === true);

/** The list of tools with the names of the routes, and with the tools that routes are. */
export function listingsWith(
  listings: readonly ToolListing[],
  routes: NamedRoutes,
): readonly ToolListing[] {
  const names = Object.keys(routes);
  const base = listings.find(({ name }) => name === BASE);
  if (names.length === 0 || base === undefined) return listings;
  const { inputSchema } = base;
  const { model, models: _, ...properties } = inputSchema.properties ?? {};
  const known = isMembers(model)
    ? { ...model, description: `${model["description"]}. Or a purpose: ${names.join(", ")}` }
    : {};
  const named = {
    ...base,
    inputSchema: { ...inputSchema, properties: { ...inputSchema.properties, model: known } },
  };
  const own = withTools(routes).map(([route, { description }]) => ({
    ...base,
    name: toolName(route),
    title: `Complete: ${route}`,
    description,
    inputSchema: { ...inputSchema, properties },
  }));
  return [...listings.map((listing) => (listing === base ? named : listing)), ...own];
}

/** The tools with those that routes are. */
export function toolsWith(tools: readonly Tool[], routes: NamedRoutes): readonly Tool[] {
  const base = tools.find(({ name }) => name === BASE);
  if (base === undefined) return tools;
  const own = withTools(routes).map(([route, { description = "" }]) => ({
    ...base,
    name: toolName(route),
    description,
    call: (given: unknown, context: Parameters<Tool["call"]>[1]) =>
      base.call(isMembers(given) ? { ...given, model: route } : given, context),
  }));
  return [...tools, ...own];
}
