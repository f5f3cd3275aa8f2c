import { PRODUCT, STARTED } from "./description.js";

export interface InstallLink {
  readonly host: string;
  readonly url: string;
  readonly badge: string;
}

const { entry, title, summary } = PRODUCT;
const json = JSON.stringify(STARTED);
const base64 = Buffer.from(json).toString("base64");

const link = (address: string, parameters: readonly (readonly [string, string])[]): string =>
  `${address}?${parameters.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&")}`;

const badge = (label: string, color: string): string =>
  `https://img.shields.io/badge/${label}-install-${color}`;

/** Links that add the published server to a host, each in the form of this host. */
export const INSTALL_LINKS: readonly InstallLink[] = [
  {
    host: "VS Code",
    url: link("https://vscode.dev/redirect/mcp/install", [
      ["name", entry],
      ["config", json],
    ]),
    badge: badge("VS_Code", "0098FF"),
  },
  {
    host: "VS Code Insiders",
    url: link("https://insiders.vscode.dev/redirect/mcp/install", [
      ["name", entry],
      ["config", json],
      ["quality", "insiders"],
    ]),
    badge: badge("VS_Code_Insiders", "24bfa5"),
  },
  {
    host: "Cursor",
    url: link("https://cursor.com/en/install-mcp", [
      ["name", entry],
      ["config", base64],
    ]),
    badge: "https://cursor.com/deeplink/mcp-install-dark.svg",
  },
  {
    host: "LM Studio",
    url: link("https://lmstudio.ai/install-mcp", [
      ["name", entry],
      ["config", base64],
    ]),
    badge: "https://files.lmstudio.ai/deeplink/mcp-install-light.svg",
  },
  {
    host: "Goose",
    url: link("https://block.github.io/goose/extension", [
      ["cmd", STARTED.command],
      ...STARTED.args.map((arg) => ["arg", arg] as const),
      ["id", entry],
      ["name", title],
      ["description", summary],
    ]),
    badge: "https://block.github.io/goose/img/extension-install-dark.svg",
  },
];
