import { FIELDS, PRODUCT } from "./description.js";

/** A bundle that is attached to a release. */
export interface ReleasedBundle {
  readonly url: string;
  readonly sha256: string;
}

const { registryName, title, summary, version, repository, homepage, name } = PRODUCT;

const shared = {
  version,
  transport: { type: "stdio" },
  environmentVariables: Object.values(FIELDS).map(({ setting, description, isSecret }) => ({
    name: setting,
    description,
    isRequired: false,
    isSecret,
  })),
};

/**
 * The `server.json` of the MCP registry. The registry compares its name with `mcpName` in the published
 * package.json. A release adds its bundle, whose hash is known only then.
 */
export const serverJson = (bundle?: ReleasedBundle) => ({
  $schema: "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
  name: registryName,
  title,
  description: summary,
  repository: { url: repository, source: "github" },
  version,
  websiteUrl: homepage,
  packages: [
    { registryType: "npm", identifier: name, ...shared },
    ...(bundle === undefined
      ? []
      : [
          {
            registryType: "mcpb",
            identifier: bundle.url,
            fileSha256: bundle.sha256,
            ...shared,
          },
        ]),
  ],
});
