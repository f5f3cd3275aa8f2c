/**
 * Writes the generated tables of the documentation (tools, settings, error codes, faults, install links, examples) and the
 * files for registries and hosts, such as server.json. With `--check` it writes nothing and exits with code 1 where a file differs from what it would write.
 * Either way it fails where a page for developers names a file that is not there.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import { ERROR_CODES, type ErrorCode } from "../src/lib/errors.js";
import type { Tool } from "../src/mcp/tool.js";
import { jsonSchemaOf } from "../src/mcp/tool-listing.js";
import { TOOLS_WITH_FILES } from "../src/mcp/tools/index.js";
import { SETTINGS } from "../src/settings.js";
import { missingHosts } from "../test/clients/hosts-page.js";
import { outcomeTables } from "../test/faults/outcomes.js";
import { GENERATED_FILES } from "./distribution/generated-files.js";
import { INSTALL_LINKS } from "./distribution/install-links.js";
import { firstSentence, table, withPart } from "./markdown.js";
import { missingFiles } from "./named-files.js";

/** Whether the same call can succeed later without a change. `depends`: the error itself says it. */
const RETRYABLE: Readonly<Record<ErrorCode, "yes" | "no" | "depends">> = {
  NO_ENDPOINT: "depends",
  EMBEDDED_FAILED: "depends",
  SERVICE_UNREACHABLE: "depends",
  CIRCUIT_OPEN: "yes",
  NOT_FOUNDRY: "no",
  UNSUPPORTED_BY_SERVER: "no",
  UNAUTHORIZED: "no",
  SERVICE_BUSY: "depends",
  SERVICE_ERROR: "depends",
  INVALID_RESPONSE: "depends",
  RESPONSE_TOO_LARGE: "no",
  REQUEST_TOO_LARGE: "no",
  TIMEOUT: "depends",
  QUEUE_FULL: "yes",
  COMPLETION_NOT_FOUND: "no",
  CANCELLED: "no",
  CLIENT_CLOSED: "no",
  MODEL_NOT_FOUND: "no",
  MODEL_NOT_CACHED: "no",
  MODEL_NOT_LOADED: "no",
  MODEL_BUSY: "yes",
  MODEL_CANNOT_CHAT: "no",
  MODEL_CANNOT_EMBED: "no",
  MODEL_CANNOT_SEE: "no",
  INSUFFICIENT_MEMORY: "no",
  INSUFFICIENT_DISK: "no",
  LOAD_FAILED: "depends",
  DOWNLOAD_FAILED: "depends",
  DOWNLOAD_UNAVAILABLE: "no",
  EP_UNAVAILABLE: "no",
  CONTEXT_LENGTH_EXCEEDED: "no",
  INVALID_REQUEST: "no",
  INFERENCE_FAILED: "depends",
  SCHEMA_MISMATCH: "depends",
  SERVER_CRASHED: "depends",
  STREAM_INTERRUPTED: "yes",
  INVALID_ARGUMENT: "no",
  FILE_NOT_ALLOWED: "no",
  INVALID_SETTING: "no",
  INTERNAL: "no",
};

const ERROR_NAMES = Object.keys(ERROR_CODES).filter(
  (name): name is ErrorCode => name in ERROR_CODES,
);

const code = (text: string): string => `\`${text}\``;

const argumentSchema = z.object({
  type: z.string().optional(),
  enum: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  minItems: z.number().optional(),
  maxItems: z.number().optional(),
  description: z.string().optional(),
});
type Argument = z.output<typeof argumentSchema>;

const inputSchema = z.object({
  properties: z.record(z.string(), argumentSchema).default({}),
  required: z.array(z.string()).default([]),
});
const inputOf = (tool: Tool) => inputSchema.parse(jsonSchemaOf(tool.arguments));

/** Arguments that several tools share are described where the first of them has them. */
const described = new Map<string, { readonly tool: string; readonly text: string }>();
for (const tool of TOOLS_WITH_FILES) {
  for (const [name, { description }] of Object.entries(inputOf(tool).properties)) {
    if (description === undefined || described.has(name)) continue;
    described.set(name, { tool: tool.name, text: description });
  }
}

function allowed({ type, enum: values, minimum, maximum, minItems, maxItems }: Argument): string {
  if (values !== undefined) return values.map(code).join(", ");
  const bounds = type === "array" ? `${range(minItems, maxItems)} items` : range(minimum, maximum);
  return [type ?? "any", ...(bounds.trim() === "items" || bounds === "" ? [] : [bounds])].join(
    ", ",
  );
}

function range(from: number | undefined, to: number | undefined): string {
  if (from === undefined) return to === undefined ? "" : `at most ${to}`;
  return to === undefined ? `at least ${from}` : `${from} to ${to}`;
}

function meaningOf(name: string, { description }: Argument): string {
  if (description !== undefined) return description;
  const other = described.get(name);
  return other === undefined ? "" : `As in ${code(other.tool)}: ${other.text}`;
}

function argumentsOf(tool: Tool): string {
  const { properties, required } = inputOf(tool);
  const rows = Object.entries(properties).map(([name, argument]) => [
    required.includes(name) ? `${code(name)} (required)` : code(name),
    allowed(argument),
    meaningOf(name, argument),
  ]);
  if (rows.length === 0) return "No arguments.";
  return table(["argument", "allowed", "what it does"], rows);
}

const toolList = table(
  ["tool", "what it does"],
  TOOLS_WITH_FILES.map(({ name, description }) => [
    `[${code(name)}](reference.md#${name})`,
    firstSentence(description),
  ]),
);

const toolArguments = TOOLS_WITH_FILES.map(
  (tool) => `### ${tool.name}\n\n${tool.description}\n\n${argumentsOf(tool)}`,
).join("\n\n");

const settings = table(
  ["setting", "default", "what it does"],
  Object.entries(SETTINGS).map(([name, { defaultText, meaning }]) => [
    code(name),
    defaultText,
    meaning,
  ]),
);

const errorCodes = table(
  ["code", "meaning", "retryable"],
  ERROR_NAMES.map((name) => [code(name), ERROR_CODES[name], RETRYABLE[name]]),
);

const faults = Object.fromEntries(
  [...outcomeTables()].map(([operation, rows]) => [
    operation,
    table(["fault", "S", "C1", "C2", "openai"], rows),
  ]),
);

const installLinks = table(
  ["host", "install"],
  INSTALL_LINKS.map(({ host, url, badge }) => [host, `[![Install in ${host}](${badge})](${url})`]),
);

const inRoot = (name: string): string => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** What the first line of an example says of it. */
const examples = table(
  ["example", "what it shows"],
  readdirSync(inRoot("examples"))
    .filter((name) => /\.(js|py)$/.test(name))
    .map((name) => {
      const [first = ""] = readFileSync(inRoot(`examples/${name}`), "utf8").split(/\r?\n/);
      return [`[${name}](${name})`, first.replace(/^(\/\/|#) /, "")];
    }),
);

const FILES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "examples/README.md": { examples },
  "docs/install.md": { "install links": installLinks },
  "docs/tools.md": { tools: toolList },
  "docs/reference.md": { tools: toolArguments },
  "docs/settings.md": { settings },
  "docs/error-codes.md": { "error codes": errorCodes },
  "docs/faults.md": faults,
};

const { check } = parseArgs({ options: { check: { type: "boolean", default: false } } }).values;

function bring(name: string, wantedOf: (text: string) => string): void {
  const path = inRoot(name);
  const text = existsSync(path) ? readFileSync(path, "utf8").replaceAll("\r\n", "\n") : "";
  const wanted = wantedOf(text);
  if (wanted === text) return;
  if (check) {
    process.stderr.write(`${name} differs from the code. Run \`npm run docs\` and commit it.\n`);
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, wanted);
    process.stdout.write(`${name} is written.\n`);
  }
}

for (const [name, parts] of Object.entries(FILES)) {
  bring(name, (text) =>
    Object.entries(parts).reduce((whole, [part, rows]) => withPart(whole, part, rows), text),
  );
}
for (const [name, text] of Object.entries(GENERATED_FILES)) bring(name, () => text);

for (const [page, name] of missingFiles()) {
  process.stderr.write(`${page} names ${name}, which is not there.\n`);
  process.exitCode = 1;
}

for (const host of missingHosts()) {
  process.stderr.write(
    `docs/hosts.md has no row for ${host}. Run test:clients or test:hosts with WRITE_HOSTS=1.\n`,
  );
  process.exitCode = 1;
}
