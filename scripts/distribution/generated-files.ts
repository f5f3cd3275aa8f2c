import { claudeMarketplace, claudePlugin, geminiExtension } from "./plugins.js";
import { serverJson } from "./registry.js";

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** Files of the repository that only repeat the description: by their paths. */
export const GENERATED_FILES: Readonly<Record<string, string>> = {
  "server.json": json(serverJson()),
  ".claude-plugin/plugin.json": json(claudePlugin()),
  ".claude-plugin/marketplace.json": json(claudeMarketplace()),
  "gemini-extension.json": json(geminiExtension()),
};
