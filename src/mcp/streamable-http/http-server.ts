import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  getRequestListener,
  type Http2Bindings,
  type HttpBindings,
  RequestError,
} from "@hono/node-server";
import {
  createMcpHandler,
  isJSONRPCRequest,
  isJsonContentType,
  isLegacyRequest,
  type McpServer,
  readRequestBody,
  type Server,
} from "@modelcontextprotocol/server";
import {
  DEEPEST_JSON,
  FoundryError,
  hasMoreValues,
  jsonFrom,
  type Lazy,
  LONGEST_LINE,
  MOST_MESSAGES_IN_LIST,
  MOST_VALUES,
  VERSION,
  waitFor,
  withoutDepths,
} from "../../lib/index.js";
import { type Backend, closeBackend } from "../backend.js";
import { HostLimits } from "../hosts.js";
import { Monitoring } from "../monitoring/index.js";
import { endedAmong, ResourceUpdates } from "../resources/index.js";
import { toolsWith } from "../route-tools.js";
import { CallsInFlight, createServer, reporterOf, type ServerParts } from "../server.js";
import { Tasks } from "../tasks.js";
import { TOOLS_WITH_FILES } from "../tools/index.js";
import { readingOf, tooManyMessages, withoutNulls } from "../transport/index.js";
import { type AccessRules, refusalOf } from "./access.js";
import { endOfResponse, jsonRpcError, portable } from "./responses.js";
import { Sessions } from "./sessions.js";

export interface HttpServeOptions
  extends Pick<AccessRules, "key">,
    Pick<ServerParts, "routes" | "hasFiles"> {
  /** The name or address to listen on. */
  readonly host: string;
  readonly backend: Lazy<Backend>;
  /** 0 is any free port. */
  readonly port: number;
  /** Ends the client and the serving; calls in flight are answered with what there is. */
  readonly signal: AbortSignal;
  /** Makes the server of a session, or of a request without one. Default: the product's. */
  readonly newServer?: (parts: ServerParts) => Server | McpServer;
}

export interface HttpServing {
  /** Where clients send their requests. */
  readonly url: string;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

const ANSWERS_MS = 2000;
/** For answers that are written, and not yet read. */
const LAST_BYTES_MS = 1000;
const MOST_CONNECTIONS = 2000;
/** Longer than clients keep a connection, so that they close it first and no request is reset. */
const KEEP_ALIVE_MS = 75_000;

/**
 * Serves many hosts over Streamable HTTP at `/mcp`, in both eras of the protocol: a session for each
 * client with a handshake, none for later ones. `GET /health` answers whether it runs, `GET /metrics` is
 * for Prometheus, and the page at `/` is for a person.
 *
 * @throws FoundryError `INVALID_SETTING` where the address cannot be listened on.
 */
export async function serveOverHttp(options: HttpServeOptions): Promise<HttpServing> {
  const { backend, routes, hasFiles, host, port, signal, newServer = createServer } = options;
  const calls = new CallsInFlight();
  const report = reporterOf(backend);
  const common = { backend, routes, hasFiles, calls };
  /** An answer that is logged. */
  const refuse: Refuse = (status, code, message, id) => {
    report(new Error(message));
    return jsonRpcError(status, code, message, id);
  };
  const sessions = new Sessions({
    // With a log limit of its own, so that one client does not hide what is wrong in other sessions.
    createServer: (sessionId) => newServer({ ...common, session: sessionId }),
    maxBytes: LONGEST_LINE,
    report,
  });
  // Each request of a modern client has a server of its own.
  const parts = { ...common, report, limits: new HostLimits(), tasks: new Tasks(), session: null };
  const handlerOf = (responseMode: "auto" | "sse") =>
    createMcpHandler(() => newServer({ ...parts, era: "modern" }), {
      legacy: "reject",
      onerror: report,
      maxRequestBodySize: LONGEST_LINE,
      responseMode,
    });
  const modern = handlerOf("auto");
  // A stream begins at once and has signs of life. Clients and proxies give up a response that sends nothing for minutes.
  const streamed = handlerOf("sse");
  const loaded = await backend.get();
  // A modern client has no session: what it listens for is notified by one follower for all.
  const follower = new ResourceUpdates(loaded.client.completions, {
    notifies: "all",
    updated: async (uri) => modern.notify.resourceUpdated(uri),
  });
  const monitoring = new Monitoring(loaded, () => sessions.size);

  const hosts = [host];
  const toolNames = new Set(toolsWith(TOOLS_WITH_FILES, routes ?? {}).map(({ name }) => name));
  const answerMcp = async (request: Request, ended: Promise<void>): Promise<Response> => {
    if (request.method !== "POST") return sessions.handle(request, undefined, ended);
    const body = await bodyOf(request, refuse);
    if (body instanceof Response) return body;
    if (await isLegacyRequest(request, body)) return sessions.handle(request, body, ended);
    const handler = isStreamedCall(request.headers, toolNames) ? streamed : modern;
    const parsedBody = readsStreams(request.headers) ? body : withoutProgress(body);
    const answer = await handler.fetch(request, { parsedBody });
    // By now a `subscriptions/listen` is among those that are notified.
    endedAmong(loaded, body)
      .then((uris) => {
        for (const uri of uris) modern.notify.resourceUpdated(uri);
      })
      .catch(report);
    return answer;
  };
  const answer = async (
    request: Request,
    bindings: HttpBindings | Http2Bindings,
  ): Promise<Response> => {
    const responseEnded = endOfResponse(bindings);
    const { pathname } = new URL(request.url);
    // Monitors of a server that runs ask with HEAD. Node sends no body then.
    const isRead = request.method === "GET" || request.method === "HEAD";
    const isHealth = isRead && pathname === "/health";
    const isOpen = isHealth || (isRead && pathname === Monitoring.OPEN_PATH);
    const refusal = refusalOf(request.headers, isOpen ? { hosts } : { hosts, key: options.key });
    if (refusal !== null) {
      const refused = refuse(refusal.status, -32000, refusal.message);
      if (refusal.status === 401) refused.headers.set("www-authenticate", "Bearer");
      return refused;
    }
    if (isHealth) return Response.json({ status: "ok", version: VERSION, sessions: sessions.size });
    if (/^\/mcp\/?$/.test(pathname)) return portable(await answerMcp(request, responseEnded));
    const shown = isRead ? await monitoring.answer(pathname) : null;
    return shown ?? jsonRpcError(404, -32000, "There is nothing at this path. MCP is at /mcp.");
  };

  const server = createHttpServer(
    getRequestListener(answer, {
      overrideGlobalObjects: false,
      errorHandler: (thrown) => {
        if (thrown instanceof RequestError) {
          return refuse(
            400,
            -32000,
            "The address or the Host of the request is missing or invalid.",
          );
        }
        report(thrown instanceof Error ? thrown : new Error(String(thrown)));
        return jsonRpcError(500, -32603, "foundry-local-mcp failed on this request.");
      },
    }),
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const address = await listening(server, host, port);
  hosts.push(address.address);
  const ended = new Promise<void>((resolve) => server.once("close", resolve));
  const stop = async (): Promise<void> => {
    server.close();
    await closeBackend(loaded);
    await calls.answered(ANSWERS_MS);
    follower.close();
    monitoring.close();
    await Promise.all([sessions.close(), modern.close(), streamed.close()]);
    // A large answer may still be on its way to another machine.
    const closing = setInterval(() => server.closeIdleConnections(), 20);
    await waitFor(ended, { withinMs: LAST_BYTES_MS });
    clearInterval(closing);
    server.closeAllConnections();
  };
  signal.addEventListener("abort", () => void stop(), { once: true });
  if (signal.aborted) void stop();
  const shown = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return { url: `http://${shown}:${address.port}/mcp`, ended };
}

/**
 * Whether it is a call, which may take long, by a client that reads streams. A stream has the status 200 before
 * the answer is known: no tool of this server fails with another one.
 */
const isStreamedCall = (headers: Headers, toolNames: ReadonlySet<string>): boolean =>
  headers.get("mcp-method") === "tools/call" &&
  toolNames.has(headers.get("mcp-name") ?? "") &&
  readsStreams(headers);

const readsStreams = (headers: Headers): boolean =>
  headers.get("accept")?.includes("text/event-stream") === true;

/** The SDK answers with a stream as soon as there is progress. */
function withoutProgress(body: unknown): unknown {
  if (!isJSONRPCRequest(body) || body.params?._meta === undefined) return body;
  const { progressToken: _token, ..._meta } = body.params._meta;
  return { ...body, params: { ...body.params, _meta } };
}

type Refuse = (status: number, code: number, message: string, id?: string | number) => Response;

/** The parsed body of a request, or why it is not taken. */
async function bodyOf(request: Request, refuse: Refuse): Promise<unknown> {
  if (!isJsonContentType(request.headers.get("content-type"))) {
    return refuse(415, -32000, "Content-Type must be application/json.");
  }
  const read = await readRequestBody(request, LONGEST_LINE);
  if (read.tooLarge) return refuse(413, -32600, "The message is too long.");
  if (hasMoreValues(read.text, MOST_VALUES)) {
    return refuse(413, -32600, `The message has more than ${MOST_VALUES} values.`);
  }
  const parsed = jsonFrom(withoutDepths(read.text, DEEPEST_JSON));
  if (parsed === undefined) return refuse(400, -32700, "Invalid JSON.");
  if (Array.isArray(parsed)) {
    // The SDK has the same limit, and checks each of them before.
    if (parsed.length <= MOST_MESSAGES_IN_LIST) return parsed.map(withoutNulls);
    return refuse(400, -32600, tooManyMessages(parsed.length));
  }
  const reading = readingOf(parsed);
  if ("message" in reading) return reading.message;
  const { code, message, id } = reading.refusal;
  return refuse(400, code, message, id);
}

function listening(
  server: ReturnType<typeof createHttpServer>,
  host: string,
  port: number,
): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => reject(cannotListen(cause, host, port)));
    server.listen(port, host, () => {
      const address = server.address();
      if (address !== null && typeof address === "object") resolve(address);
    });
  });
}

function cannotListen(cause: NodeJS.ErrnoException, host: string, port: number): FoundryError {
  const where = `${host}:${port}`;
  if (cause.code === "EADDRINUSE") {
    return new FoundryError("INVALID_SETTING", `Another program listens on ${where}.`, {
      action:
        "If it is this server, use the one that runs. Otherwise name another port, as in `--http 8766`.",
      cause,
    });
  }
  return new FoundryError("INVALID_SETTING", `${where} cannot be listened on (${cause.code}).`, {
    action: "Name an address of this machine and a port from 1024 to 65535.",
    cause,
  });
}
