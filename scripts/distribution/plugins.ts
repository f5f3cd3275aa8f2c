import { PRODUCT, STARTED } from "./description.js";

const { name, entry, title, version, summary, author, homepage, repository, license, keywords } =
  PRODUCT;
const mcpServers = { [entry]: STARTED };

/** The plugin of Claude Code: the server, and the skill in `skills/`, which it finds by itself. */
export const claudePlugin = () => ({
  name: entry,
  version,
  description: summary,
  author: { name: author },
  homepage,
  repository,
  license,
  keywords,
  mcpServers,
});

/** What makes this repository a marketplace, so that Claude Code can install the plugin from it. */
export const claudeMarketplace = () => ({
  name,
  owner: { name: author },
  description: `${title} for Claude Code`,
  plugins: [{ name: entry, source: "./", description: summary }],
});

export const geminiExtension = () => ({
  name: entry,
  version,
  description: summary,
  mcpServers,
});
