import {
  FoundryError,
  headerFault,
  OWN_HEADERS,
  traceHeaders,
  wellFormedJson,
} from "../lib/index.js";
import type { Endpoint } from "./endpoint.js";
import type { RequestSpec } from "./types.js";

/** A request as it goes onto the wire. */
export interface WireRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** Extra headers, lower case. Values are never quoted in the error: one is the API key. */
export function checkedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  // A list of pairs: `__proto__` set on an object is no member of it.
  const checked: [string, string][] = [];
  for (const [given, value] of Object.entries(headers)) {
    const name = given.toLowerCase();
    const fault = headerFault(name, value);
    if (fault !== null) {
      throw new FoundryError("INVALID_SETTING", `The header ${JSON.stringify(given)} ${fault}.`, {
        action: OWN_HEADERS.has(name)
          ? "Leave it out of the extra headers."
          : "Correct the extra headers or the API key; a line break often comes from copying.",
      });
    }
    checked.push([name, value]);
  }
  return Object.fromEntries(checked);
}

export function wireRequest(
  endpoint: Endpoint,
  headers: Readonly<Record<string, string>>,
  { method, path, body }: Pick<RequestSpec, "method" | "path" | "body">,
): WireRequest {
  if (!/^\/[\x21-\x7e]*$/.test(path)) {
    throw new FoundryError(
      "INVALID_ARGUMENT",
      `The path ${JSON.stringify(path)} holds a character that cannot be sent in an address.`,
      { action: "Use a name without spaces, line breaks and characters outside ASCII." },
    );
  }
  const fullPath = path.startsWith("/v1/")
    ? `${endpoint.apiPrefix}${path.slice("/v1".length)}`
    : `${endpoint.pathPrefix}${path}`;
  if (body === undefined) return { method, path: fullPath, headers, body: null };
  if (method === "GET") {
    throw new FoundryError("INVALID_ARGUMENT", `GET ${path} was given a body.`, {
      action: "Send it with a POST: some services read the body of a GET as the next request.",
    });
  }
  return {
    method,
    path: fullPath,
    headers: { "content-type": "application/json", ...headers },
    body: toJson(body),
  };
}

/**
 * JSON whose text is well-formed Unicode: half a surrogate pair, such as an emoji cut in two, makes the
 * services' parsers refuse the whole request.
 */
export function toJson(value: unknown): string {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    throw notJson(cause);
  }
  if (json === undefined) throw notJson(undefined);
  return wellFormedJson(json);
}

function notJson(cause: unknown): FoundryError {
  return new FoundryError("INVALID_ARGUMENT", "The request cannot be written as JSON.", {
    action: "Leave out functions, big integers and objects that contain themselves.",
    cause,
  });
}

/** Bytes of the request line and all headers as undici writes them, the empty line included. */
function headBytes(host: string, { method, path, headers, body }: WireRequest): number {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `host: ${host}`,
    "connection: keep-alive",
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(method === "POST" ? [`content-length: ${Buffer.byteLength(body ?? "")}`] : []),
    "",
  ];
  // Written as latin1: a character is a byte.
  return lines.reduce((sum, line) => sum + line.length + 2, 0);
}

/**
 * A request as it is sent: with the headers of the caller's trace, unless the head would be longer than what
 * the service reads; it would cut the connection. A header that is set for all requests stays.
 *
 * @throws FoundryError `REQUEST_TOO_LARGE`, `INVALID_ARGUMENT`
 */
export function tracedRequest(
  endpoint: Endpoint,
  headers: Readonly<Record<string, string>>,
  spec: Pick<RequestSpec, "method" | "path" | "body" | "trace" | "headLimitBytes">,
): WireRequest {
  const { trace = {}, headLimitBytes } = spec;
  const request = wireRequest(endpoint, headers, spec);
  const traced = { ...request, headers: { ...traceHeaders(trace), ...request.headers } };
  if (headLimitBytes === undefined || headBytes(endpoint.host, traced) <= headLimitBytes) {
    return traced;
  }
  const bytes = headBytes(endpoint.host, request);
  if (bytes <= headLimitBytes) return request;
  throw new FoundryError(
    "REQUEST_TOO_LARGE",
    `The request line and headers take ${bytes} bytes; the service reads ${headLimitBytes}.`,
    { action: "Shorten the API key, the extra headers or the model name." },
  );
}
