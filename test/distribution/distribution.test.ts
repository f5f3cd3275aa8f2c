import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import manifest from "../../package.json" with { type: "json" };
import { FIELDS, PRODUCT, STARTED } from "../../scripts/distribution/description.js";
import { GENERATED_FILES } from "../../scripts/distribution/generated-files.js";
import { INSTALL_LINKS } from "../../scripts/distribution/install-links.js";
import { serverJson } from "../../scripts/distribution/registry.js";
import { SECRETS, SETTING_NAMES } from "../../src/settings.js";
import SCHEMA from "./server.schema.json" with { type: "json" };

const written = (path: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8"));

describe("server.json", () => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const validate = ajv.compile(SCHEMA);
  const bundle = { url: "https://example.org/releases/a.mcpb", sha256: "0".repeat(64) };

  test.each([
    ["in the repository", written("server.json")],
    ["of a release with its bundle", serverJson(bundle)],
  ])("%s fits the schema of the registry", (_, value) => {
    validate(value);

    expect(validate.errors).toBeNull();
  });

  test("is not valid with a description of more than 100 characters", () => {
    expect(validate({ ...serverJson(), description: "x".repeat(101) })).toBe(false);
  });

  test("has the name in package.json, and the package with its version", () => {
    expect(serverJson()).toMatchObject({
      $schema: SCHEMA.$id,
      name: manifest.mcpName,
      version: manifest.version,
      packages: [{ identifier: manifest.name, version: manifest.version }],
    });
  });
});

test("a host's form has only existing settings, and hides the secret ones", () => {
  const fields = Object.values(FIELDS);

  expect(fields.filter(({ setting }) => !SETTING_NAMES.includes(setting))).toEqual([]);
  expect(fields.filter(({ isSecret }) => isSecret).map(({ setting }) => setting)).toEqual(
    fields.map(({ setting }) => setting).filter((setting) => SECRETS.has(setting)),
  );
});

test.each(Object.entries(GENERATED_FILES))("%s equals the generated file", (path, text) => {
  expect(written(path)).toEqual(JSON.parse(text));
});

test.each([".claude-plugin/plugin.json", "gemini-extension.json"])(
  "%s has the version of the package and starts the published server",
  (path) => {
    expect(written(path)).toMatchObject({
      version: manifest.version,
      mcpServers: { [PRODUCT.entry]: STARTED },
    });
  },
);

test("the marketplace has the plugin of this repository, whose skill is in skills/", () => {
  const { name } = z.looseObject({ name: z.string() }).parse(written(".claude-plugin/plugin.json"));
  const skill = readFileSync(new URL(`../../skills/${name}/SKILL.md`, import.meta.url), "utf8");

  expect(written(".claude-plugin/marketplace.json")).toMatchObject({
    plugins: [{ name, source: "./" }],
  });
  expect(skill).toContain(`name: ${name}`);
});

const started = z.object({ command: z.string(), args: z.array(z.string()) });
const base64 = (text: string): unknown => JSON.parse(Buffer.from(text, "base64").toString("utf8"));

/** What a host reads from its link. */
const READ: Readonly<Record<string, (parameters: URLSearchParams) => unknown>> = {
  "VS Code": (parameters) => JSON.parse(parameters.get("config") ?? ""),
  "VS Code Insiders": (parameters) => JSON.parse(parameters.get("config") ?? ""),
  Cursor: (parameters) => base64(parameters.get("config") ?? ""),
  "LM Studio": (parameters) => base64(parameters.get("config") ?? ""),
  Goose: (parameters) => ({ command: parameters.get("cmd"), args: parameters.getAll("arg") }),
};

test.each(INSTALL_LINKS)(
  "the link for $host contains the configuration of the server",
  ({ host, url }) => {
    const { protocol, searchParams } = new URL(url);

    expect(protocol).toBe("https:");
    expect(started.parse(READ[host]?.(searchParams))).toEqual(STARTED);
    expect(searchParams.get(host === "Goose" ? "id" : "name")).toBe(PRODUCT.entry);
  },
);

test("docs/install.md has each link with its badge", () => {
  const page = readFileSync(new URL("../../docs/install.md", import.meta.url), "utf8");

  expect(INSTALL_LINKS.map(({ host }) => host)).toEqual(Object.keys(READ));
  expect(INSTALL_LINKS.filter(({ url, badge }) => !page.includes(`(${badge})](${url})`))).toEqual(
    [],
  );
});
