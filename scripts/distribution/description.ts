import manifest from "../../package.json" with { type: "json" };
import type { SettingName } from "../../src/settings.js";

/** What every way to install the server says of it. */
export const PRODUCT = {
  name: manifest.name,
  /** Of its entry in a host's configuration. */
  entry: "foundry-local",
  title: "Foundry Local",
  version: manifest.version,
  summary:
    "Lets agents use the language models on your own machine, through Microsoft Foundry Local",
  license: manifest.license,
  author: manifest.author,
  homepage: manifest.homepage,
  bugs: manifest.bugs,
  repository: manifest.repository.url.replace(/^git\+/, "").replace(/\.git$/, ""),
  keywords: manifest.keywords,
  registryName: manifest.mcpName,
} as const;

/** How a host starts the published package. */
export const STARTED = { command: "npx", args: ["--yes", PRODUCT.name] } as const;

interface Field {
  readonly setting: SettingName;
  readonly title: string;
  readonly description: string;
  readonly isSecret: boolean;
}

/** The settings that a host asks its user for; by their names in the host's form. */
export const FIELDS: Readonly<Record<string, Field>> = {
  model: {
    setting: "FOUNDRY_MODEL",
    title: "Model",
    description: "The default model, such as phi-4-mini. Empty: phi-4-mini, or a downloaded model",
    isSecret: false,
  },
  endpoint: {
    setting: "FOUNDRY_ENDPOINT",
    title: "Address",
    description:
      "The address of another engine, such as http://127.0.0.1:8000. Empty: the server finds Foundry Local",
    isSecret: false,
  },
  api_key: {
    setting: "FOUNDRY_API_KEY",
    title: "Key",
    description: "The key of an engine that requires one. Foundry Local needs none",
    isSecret: true,
  },
};
