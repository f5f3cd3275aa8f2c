import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { EmbeddedService } from "../../../src/foundry/embedded/index.js";
import type { Logger } from "../../../src/log.js";
import { removeFolder } from "../../temporary-folder.js";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export interface EmbeddedInstallation {
  /** As the user's home. */
  readonly home: string;
  /** Holds `node_modules/foundry-local-sdk`. */
  readonly folder: string;
  /** The built program of the child. */
  readonly childFile: string;
  remove(): Promise<void>;
}

/** The built child and, in its own folder, the stand-in as npm would install it. */
export async function installEmbedded(version = "1.2.3"): Promise<EmbeddedInstallation> {
  const root = await mkdtemp(join(tmpdir(), "foundry-local-mcp-embedded-"));
  const childFile = join(root, "embedded.mjs");
  const folder = join(root, "project");
  const sdk = join(folder, "node_modules", "foundry-local-sdk");
  await bundle(source("../../../src/foundry/embedded/child.ts"), childFile);
  await bundle(source("stand-in-sdk/foundry-local-sdk.ts"), join(sdk, "dist", "index.js"));
  await writeFile(
    join(sdk, "package.json"),
    JSON.stringify({ name: "foundry-local-sdk", version, type: "module", main: "dist/index.js" }),
  );
  const home = join(root, "home");
  await mkdir(home);
  return { home, folder, childFile, remove: () => removeFolder(root) };
}

/** As `scripts/build.ts` builds. */
async function bundle(entry: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20.18",
    format: "esm",
    logLevel: "silent",
    banner: {
      js: "const require = (name) => process.getBuiltinModule(name);",
    },
  });
}

export interface Watched {
  readonly service: EmbeddedService;
  /** The output of the child and its SDK, line by line. */
  readonly printed: readonly string[];
}

/** @param failing The fault, as the stand-in names it. */
export function watchedService(
  { home, folder, childFile }: EmbeddedInstallation,
  { failing = "", startTimeoutMs = 60_000, variables = {} } = {},
): Watched {
  const printed: string[] = [];
  const log: Logger = {
    trace: () => {},
    debug: (fields) => {
      if ("line" in fields && typeof fields.line === "string") printed.push(fields.line);
    },
    info: () => {},
    warn: () => {},
    error: () => {},
  };
  const { platform, arch } = process;
  const environment = { ...process.env, STAND_IN_SDK: failing, ...variables };
  const service = new EmbeddedService({
    machine: { platform, arch, home, environment },
    directories: [folder],
    startTimeoutMs,
    childFile,
    log,
  });
  return { service, printed };
}

export const processOf = (printed: readonly string[]): number =>
  Number(/listening at \S+ in (\d+)/.exec(printed.join("\n"))?.[1]);
