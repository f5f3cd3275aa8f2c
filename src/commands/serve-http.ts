import { isLoopback, Lazy, VERSION } from "../lib/index.js";
import { closeBackend, serveOverHttp } from "../mcp/index.js";
import { onTermination } from "../platform/index.js";
import { readSettings } from "../settings.js";
import { misuse } from "./arguments.js";
import { createBackend } from "./backend.js";
import { isHttpFlag } from "./command-line.js";
import { surviveDefects } from "./failures.js";

const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_PORT = 8765;

/**
 * Serves MCP over HTTP to many hosts, until it is asked to end: exit code 0.
 *
 * @param flags Those of `serve`, with `--http [HOST:PORT]` among them.
 */
export async function serveHttp(flags: readonly string[]): Promise<number> {
  const { address, rest } = splitFlags(flags);
  const { host, port } = addressOf(address);
  const settings = readSettings(rest, process.env);
  const key = settings.FOUNDRY_HTTP_KEY;
  if (key === undefined && !isLoopback(`http://${host.includes(":") ? `[${host}]` : host}`)) {
    throw misuse(
      `Other machines can reach ${host}.`,
      "Set FOUNDRY_HTTP_KEY to a key that clients must send, or leave the address out.",
    );
  }
  const backend = createBackend(settings, rest);
  const made = new Lazy(async () => backend);
  surviveDefects(made);
  const ending = new AbortController();
  onTermination((signal) => {
    backend.log.info({ signal }, "asked to end");
    ending.abort();
  });
  const { url, ended } = await serveOverHttp({
    backend: made,
    routes: settings.FOUNDRY_ROUTES,
    hasFiles: settings.FOUNDRY_FILES !== undefined,
    host,
    port,
    key,
    signal: ending.signal,
  });
  if (backend.publication !== undefined) backend.publication.url = url;
  backend.log.info({ version: VERSION, url, settings: backend.settings }, "serving");
  process.stderr.write(`foundry-local-mcp serves MCP at ${url}\n`);
  await ended;
  await closeBackend(backend);
  return 0;
}

/** `--http ADDRESS`, `--http=ADDRESS` or `--http` alone, which `parseArgs` of Node cannot have optional. */
export function splitFlags(flags: readonly string[]): {
  readonly address: string;
  readonly rest: readonly string[];
} {
  const at = flags.findIndex(isHttpFlag);
  const [flag = "", next = ""] = flags.slice(at);
  const isNext = flag === "--http" && next !== "" && !next.startsWith("--");
  return {
    address: isNext ? next : flag.slice("--http=".length),
    rest: flags.toSpliced(at, isNext ? 2 : 1),
  };
}

/** `8765`, `127.0.0.1:8765` or `[::1]:8765`. */
export function addressOf(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, name, digits] = /^(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d{1,5})$/.exec(text) ?? [];
  const port = text === "" ? DEFAULT_PORT : Number(digits);
  if (!(port <= 65_535)) {
    throw misuse(
      `Invalid value for --http: ${JSON.stringify(text)}.`,
      `Set it to a port or to an address with a port, such as ${DEFAULT_HOST}:${DEFAULT_PORT}, or leave it out.`,
    );
  }
  return { host: bracketed ?? name ?? DEFAULT_HOST, port };
}
