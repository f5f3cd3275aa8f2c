import { TOOL_LISTINGS } from "../../src/mcp/listings.js";
import { getPrompt, PROMPT_LISTINGS } from "../../src/mcp/prompts.js";
import { firstSentence } from "../markdown.js";
import { FIELDS, PRODUCT } from "./description.js";

/** The file that a user of Claude Desktop opens. */
export const BUNDLE_FILE = `${PRODUCT.name}-${PRODUCT.version}.mcpb`;

/** The `manifest.json` of the bundle: its newest version that the packer knows. */
export const bundleManifest = () => ({
  manifest_version: "0.4",
  name: PRODUCT.name,
  display_name: PRODUCT.title,
  version: PRODUCT.version,
  description: PRODUCT.summary,
  author: { name: PRODUCT.author },
  repository: { type: "git", url: PRODUCT.repository },
  homepage: PRODUCT.homepage,
  documentation: PRODUCT.homepage,
  support: PRODUCT.bugs,
  icon: "icon.png",
  license: PRODUCT.license,
  keywords: PRODUCT.keywords,
  server: {
    type: "node",
    entry_point: "dist/main.js",
    mcp_config: {
      command: "node",
      // The host puts the folder of the bundle there, and each folder of the user as an argument of its own: it
      // puts lists into arguments only.
      // biome-ignore lint/suspicious/noTemplateCurlyInString: they are the host's placeholders
      args: ["${__dirname}/dist/main.js", "--files", "${user_config.folders}"],
      // A field that the user left empty arrives as an empty text or as this placeholder; both are unset.
      env: Object.fromEntries(
        Object.entries(FIELDS).map(([name, { setting }]) => [setting, `\${user_config.${name}}`]),
      ),
    },
  },
  compatibility: {
    platforms: ["darwin", "win32", "linux"],
    runtimes: { node: ">=20.18.1" },
  },
  user_config: {
    ...Object.fromEntries(
      Object.entries(FIELDS).map(([name, { title, description, isSecret }]) => [
        name,
        { type: "string", title, description, required: false, sensitive: isSecret },
      ]),
    ),
    folders: {
      type: "directory",
      multiple: true,
      title: "Folders",
      description:
        "Folders whose files the tools may read, and in which they may write new files. Empty: none",
      required: false,
    },
  },
  tools: TOOL_LISTINGS.map(({ name, description }) => ({
    name,
    description: firstSentence(description ?? ""),
  })),
  prompts: PROMPT_LISTINGS.map(({ name, description, arguments: given = [] }) => {
    const names = given.map((argument) => argument.name);
    const values = Object.fromEntries(names.map((each) => [each, `\${arguments.${each}}`]));
    const [message] = getPrompt({ name, arguments: values }).messages;
    return { name, description, arguments: names, text: message?.content.text ?? "" };
  }),
  // The server makes the text of a prompt: arguments may be left out.
  prompts_generated: true,
});
