/**
 * Builds `dist/`: the executable and the library as bundles with all they need inside, the types,
 * and the licences of what was bundled. A user installs one package and starts one file, instead of
 * some hundred packages of which a server over stdio uses a few.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Metafile, type Plugin, transform } from "esbuild";
import { VERSION } from "../src/lib/version.js";
import { FILE_TOOL_LISTINGS, TOOL_LISTINGS } from "../src/mcp/listings.js";
import { SKILL } from "../src/mcp/skill.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");

rmSync(dist, { recursive: true, force: true });

const withServer: Plugin = {
  name: "with-server",
  setup({ onResolve }) {
    onResolve({ filter: /[\\/]commands[\\/]serve\.js$/ }, () => ({
      path: "./serve.js",
      external: true,
    }));
  },
};

/** Makes the JSON Schemas of the tools, the digest of the skill and the version now, not when it runs. */
const withConstants: Plugin = {
  name: "with-constants",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]mcp[\\/]listings\.ts$/ }, () => ({
      contents: [
        `export const TOOL_LISTINGS = ${JSON.stringify(TOOL_LISTINGS)};`,
        `export const FILE_TOOL_LISTINGS = ${JSON.stringify(FILE_TOOL_LISTINGS)};`,
      ].join("\n"),
    }));
    onLoad({ filter: /[\\/]src[\\/]mcp[\\/]skill\.ts$/ }, () => ({
      contents: `export const SKILL = ${JSON.stringify(SKILL)};`,
    }));
    onLoad({ filter: /[\\/]src[\\/]lib[\\/]version\.ts$/ }, () => ({
      contents: `export const VERSION = ${JSON.stringify(VERSION)};`,
    }));
  },
};

const throwing = (what: string): string =>
  `() => { throw new Error("${what} is not part of this build"); }`;

/** Leaves out the parts of dependencies that are imported with the rest and never used. */
const withoutUnusedParts: Plugin = {
  name: "without-unused-parts",
  setup({ onLoad }) {
    // zod exports its error messages in all languages.
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
    }));
    // The MCP SDK validates what a user fills into a form, and this server shows none.
    onLoad(
      { filter: /[\\/]@modelcontextprotocol[\\/]server[\\/]dist[\\/]shimsNode\.mjs$/ },
      () => ({
        contents: `
        export { default as process } from "node:process";
        export class DefaultJsonSchemaValidator {
          getValidator() {
            throw new Error("JSON Schema validation is not part of this build");
          }
        }`,
      }),
    );
    // `demo` uses the client with our own server: it checks no results, and signs in nowhere.
    onLoad(
      { filter: /[\\/]@modelcontextprotocol[\\/]client[\\/]dist[\\/]shimsNode\.mjs$/ },
      () => ({
        contents: `
        export { default as process } from "node:process";
        export const CORS_IS_POSSIBLE = false;
        export class DefaultJsonSchemaValidator {
          getValidator() {
            return (data) => ({ valid: true, data, errorMessage: undefined });
          }
        }`,
      }),
    );
    onLoad({ filter: /[\\/]node_modules[\\/]jose[\\/]/ }, () => ({
      contents: "module.exports = {};",
    }));
    // undici exports fetch, WebSocket and more; src/http uses only these two.
    onLoad({ filter: /[\\/]undici[\\/]index\.js$/ }, () => ({
      contents: `module.exports = {
        Client: require("./lib/dispatcher/client.js"),
        errors: require("./lib/core/errors.js"),
      };`,
    }));
    // The service is spoken to in HTTP/1.1, with bodies that are texts.
    onLoad({ filter: /[\\/]undici[\\/]lib[\\/]dispatcher[\\/]client-h2\.js$/ }, () => ({
      contents: `module.exports = ${throwing("HTTP/2")};`,
    }));
    onLoad({ filter: /[\\/]undici[\\/]lib[\\/]web[\\/]fetch[\\/]body\.js$/ }, () => ({
      contents: `exports.extractBody = ${throwing("a body of fetch")};`,
    }));
    // src/log.ts writes the lines by itself.
    onLoad({ filter: /[\\/]pino[\\/]lib[\\/]transport\.js$/ }, () => ({
      contents: `module.exports = ${throwing("a transport of pino")};`,
    }));
    // undici has its parser twice. The one without SIMD is for processors of before 2008.
    onLoad({ filter: /[\\/]llhttp[\\/]llhttp-wasm\.js$/ }, () => ({
      contents: 'module.exports = require("./llhttp_simd-wasm.js");',
    }));
  },
};

/** Shortens the names within dependencies. Ours stay, so that a stack in a log can be read. */
const withShortNames: Plugin = {
  name: "with-short-names",
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]node_modules[\\/].*\.[cm]?js$/ }, async ({ path }) => ({
      contents: (
        await transform(readFileSync(path, "utf8"), {
          minifyIdentifiers: true,
          legalComments: "none",
          target: options.target,
        })
      ).code,
    }));
  },
};

const options = {
  absWorkingDir: root,
  outdir: "dist",
  bundle: true,
  platform: "node",
  target: "node20.18",
  format: "esm",
  metafile: true,
  legalComments: "none",
  minifyWhitespace: true,
  minifySyntax: true,
  // Node shows the whole line that threw an error which nothing caught.
  lineLimit: 200,
  // What these packages give Node is CommonJS, of which a bundle cannot leave out the unused parts.
  alias: {
    "jsonc-parser": "jsonc-parser/lib/esm/main.js",
    yaml: join(root, "node_modules/yaml/browser/dist/index.js"),
  },
  // Dependencies in CommonJS ask for Node's own modules with `require`, which modules do not have.
  banner: {
    // Where webpack bundles this, it follows an imported `createRequire`, and then finds none of these modules.
    // Node 21 and 22.0 to 22.2 have no `getBuiltinModule`.
    js: 'import * as __module from "node:module"; const require = process.getBuiltinModule ?? __module.createRequire(import.meta.url ?? process.execPath);',
  },
} as const satisfies BuildOptions;

/** By name: the modules that the server imports while it runs. */
const lateModules = new Map<string, string>();
const withLateModules: Plugin = {
  name: "with-late-modules",
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ kind, path, resolveDir }) => {
      if (kind !== "dynamic-import") return undefined;
      const source = join(resolveDir, path.replace(/\.js$/, ".ts"));
      const name = basename(source, ".ts");
      lateModules.set(name, source);
      return { path: `./chunks/${name}.js`, external: true };
    });
  },
};

// What a host waits for is one file: each further one costs the start a millisecond or two.
const server = await build({
  ...options,
  entryPoints: { serve: "src/commands/serve.ts" },
  plugins: [withLateModules, withConstants, withoutUnusedParts, withShortNames],
});
const all = await build({
  ...options,
  entryPoints: {
    main: "src/main.ts",
    index: "src/index.ts",
    simulator: "packages/simulator/src/index.ts",
    ...Object.fromEntries([...lateModules].map(([name, path]) => [`chunks/${name}`, path])),
  },
  plugins: [withServer, withConstants, withoutUnusedParts, withShortNames],
  // Code that the executable, the library and the simulator share is written once, into chunks.
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
});
// The child process of `src/foundry/embedded/` starts faster without the chunks of the others.
await build({ ...options, entryPoints: { embedded: "src/foundry/embedded/child.ts" } });

for (const project of ["tsconfig.build.json", "packages/simulator/tsconfig.build.json"]) {
  execFileSync(process.execPath, [
    join(root, "node_modules/typescript/bin/tsc"),
    "--project",
    join(root, project),
  ]);
}

const types = join(dist, "types");
const reachable = typesReachableFrom(join(types, "index.d.ts"));
keepOnly(typesReachableFrom(join(types, "simulator", "index.d.ts"), reachable), types);
writeFileSync(
  join(dist, "THIRD-PARTY-LICENSES.txt"),
  licensesOf({ ...server.metafile.inputs, ...all.metafile.inputs }),
);

/** The files that the types of an entry point consist of; the rest is not exported. */
function typesReachableFrom(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, path = ""] of readFileSync(file, "utf8").matchAll(/from "(\.[^"]+)\.js"/g)) {
    typesReachableFrom(join(dirname(file), `${path}.d.ts`), found);
  }
  return found;
}

function keepOnly(files: ReadonlySet<string>, folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !files.has(path)) rmSync(path);
  }
}

/** Name, version and licence text of every package that went into the bundles. */
function licensesOf(inputs: Metafile["inputs"]): string {
  const folders = new Set(
    Object.keys(inputs).flatMap((path) => {
      const match = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path);
      return match?.[1] === undefined ? [] : [match[1]];
    }),
  );
  return [...folders]
    .sort()
    .map(licenseOf)
    .join(`\n\n${"-".repeat(80)}\n\n`);
}

function licenseOf(folder: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  const { name, version, license } = Object(manifest);
  const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? "" : readFileSync(join(root, folder, file), "utf8").trim();
  return `${name} ${version} (${license})\n\n${text}`.trim();
}
