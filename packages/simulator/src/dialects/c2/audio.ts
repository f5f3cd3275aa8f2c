import { existsSync } from "node:fs";
import { SIMULATED } from "../../engine/text.js";
import type { Family } from "../../models/store.js";
import type { DialectContext, DialectRequest } from "../dialect.js";
import { C2Error, json } from "./errors.js";
import { jsonBody, loadedModel } from "./lookup.js";
import { JsonError } from "./nlohmann.js";
import { asString, at } from "./shape.js";

/** `POST /v1/audio/transcriptions`: JSON with a path on the service's machine. Answers at once. */
export async function transcriptions(
  context: DialectContext,
  request: DialectRequest,
  family: Family,
): Promise<void> {
  const { model: id, filename } = readRequest((await jsonBody(request)).value);
  if (!existsSync(filename)) throw new C2Error(400, `Audio file not found: '${filename}'`);
  const model = await loadedModel(context, id, family);
  if (model.task !== "automatic-speech-recognition") {
    throw new C2Error(
      400,
      `Model does not support audio transcription: Model '${id}' has task '${model.task}'`,
    );
  }
  request.reply.whole(json({ text: SIMULATED }));
}

function readRequest(body: unknown): { model: string; filename: string } {
  try {
    const model = asString(at(body, "model"));
    const filename = asString(at(body, "filename"));
    if (model === "") throw new C2Error(400, "Missing required field: model");
    if (filename === "") throw new C2Error(400, "Missing required field: filename");
    return { model, filename };
  } catch (error) {
    if (error instanceof JsonError) throw new C2Error(400, `Invalid request: ${error.message}`);
    throw error;
  }
}
