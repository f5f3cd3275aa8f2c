import type { SimulatedModel } from "../../models/model.js";
import type { Family } from "../../models/store.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import { C2Error, FrameworkError } from "./errors.js";
import { NumberOverflow } from "./json-lexer.js";
import { JsonError, type ParsedJson, parseJson } from "./nlohmann.js";

const NO_BODY =
  "[oatpp::web::protocol::http::incoming::SimpleBodyDecoder::decode()]: Error. Invalid Request.";

/** The body as JSON. @throws in the words of the service when it is none. */
export async function jsonBody(request: DialectRequest): Promise<ParsedJson> {
  const bytes = await request.readBody();
  if (bytes === null) throw new FrameworkError(NO_BODY);
  if (bytes.length === 0) throw new C2Error(400, "Empty request body");
  try {
    return parseJson(utf8(bytes));
  } catch (error) {
    if (error instanceof NumberOverflow) throw new FrameworkError(error.message);
    if (error instanceof JsonError) throw new C2Error(400, `Invalid JSON: ${error.message}`);
    throw error;
  }
}

/**
 * Bytes that are no UTF-8 end up in the message about them, which then cannot be written as JSON:
 * that is what the framework reports (`docs/foundry-local.md`, section 5).
 */
function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const text = bytes.toString("utf8");
    const at = Buffer.byteLength(text.slice(0, text.indexOf("\uFFFD")));
    const read = `Invalid JSON: [json.exception.parse_error.101] parse error at line 1, column ${at + 1}: syntax error while parsing value - invalid string: ill-formed UTF-8 byte; last read: '"`;
    const byte = (bytes[at] ?? 0).toString(16).toUpperCase().padStart(2, "0");
    throw new FrameworkError(
      `[json.exception.type_error.316] invalid UTF-8 byte at index ${read.length}: 0x${byte}`,
    );
  }
}

/** By exact id only, and it must be in memory. */
export async function loadedModel(
  context: DialectContext,
  id: string,
  family: Family,
): Promise<SimulatedModel> {
  const { engine } = context;
  const model = await engine.catalogLock(family).run(() => engine.store.byId(id, family));
  if (model === null) throw notFound(id);
  const loaded = await engine.loadLock.run(() => engine.store.isLoaded(id));
  if (loaded) return model;
  throw new C2Error(400, `Model not loaded: Model '${id}' must be loaded before inference`);
}

export function notFound(name: string): C2Error {
  return new C2Error(404, `Model not found: No model matching '${name}'`);
}
