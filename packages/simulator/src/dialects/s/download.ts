import * as z from "zod";
import { type SimulatedModel, uriOf } from "../../models/model.js";
import { readBody } from "../bodies.js";
import type { DialectRequest } from "../dialect.js";
import { type Service, ServiceError } from "./service.js";
import type { ServiceSwitches } from "./switches.js";

const downloadSchema = z.looseObject({
  model: z.looseObject({
    Name: z.string(),
    Uri: z.string(),
    /** The catalog's with `Local` behind it. */
    ProviderType: z.string().regex(/Local$/),
  }),
  /** Without it the progress goes into a named pipe. */
  IgnorePipeReport: z.boolean().optional(),
});

const TYPE = "text/plain; charset=utf-8";
const LOOK_EVERY_MS = 10;

/** The end of a download, for its last line. `"broken"`: without one. */
type End = { readonly error: string | null } | "broken";

/** `POST /openai/download`: progress while it runs, and a line of JSON at its end. */
export async function download(service: Service, request: DialectRequest): Promise<void> {
  const body = await readBody(request, downloadSchema, () => new ServiceError(400, ""));
  const { Name, Uri } = body.model;
  const model = service.models.find(
    (known) => known.id === Name || uriOf(known) === Uri || service.idOf(known) === Name,
  );
  request.reply.start(TYPE);
  const says = body.IgnorePipeReport === true;
  await finish(service, request, await end(service, request, model ?? null, Name, says));
}

/** The texts of the refusals are invented: the real ones were never recorded. */
async function end(
  service: Service,
  request: DialectRequest,
  model: SimulatedModel | null,
  name: string,
  says: boolean,
): Promise<End> {
  const { downloads } = service;
  if (model === null) return { error: `Model ${name} was not found in the catalog.` };
  if (model.downloaded) return { error: null };
  if (downloads.running.has(model.id)) {
    return { error: `Model ${name} is being downloaded already.` };
  }
  downloads.running.add(model.id);
  try {
    return await run(service, request, model, says);
  } finally {
    downloads.running.delete(model.id);
    service.engine.log.changed();
  }
}

/** Resumes an earlier download, and goes on when its client disconnects. */
async function run(
  service: Service,
  request: DialectRequest,
  model: SimulatedModel,
  says: boolean,
): Promise<End> {
  const { downloads, switches, engine } = service;
  const wholeMs = model.downloadMs ?? engine.speeds.downloadMs;
  let percent = downloads.percent.get(model.id) ?? 0;
  for (const step of stepsOf(model)) {
    if (step.percent <= percent) continue;
    const trouble = switches.downloadTrouble;
    if (trouble !== null && step.percent > trouble.atPercent && !downloads.troubled.has(model.id)) {
      downloads.troubled.add(model.id);
      if (trouble.kind === "fails") return { error: "The download failed." };
      if (trouble.kind === "stalls") await untilGone(service, request);
      return "broken";
    }
    await engine.clock.sleep((wholeMs * (step.percent - percent)) / 100);
    if (isOver(service, request)) return "broken";
    percent = step.percent;
    downloads.percent.set(model.id, percent);
    if (says) request.reply.event(progressLine(step, switches.downloadLines));
    engine.log.changed();
    await engine.clock.yield();
  }
  downloads.percent.delete(model.id);
  service.context.setDownloaded(model.id, true);
  return { error: null };
}

/** The process died, or its client disconnected on a revision that stops then. */
function isOver({ switches }: Service, request: DialectRequest): boolean {
  if (request.record.endedBy === "died") return true;
  return switches.downloadOnDisconnect === "stops" && request.clientClosed();
}

async function untilGone({ engine }: Service, request: DialectRequest): Promise<void> {
  while (!request.clientClosed()) await engine.clock.sleep(LOOK_EVERY_MS);
}

async function finish(
  { switches, engine }: Service,
  { reply }: DialectRequest,
  end: End,
): Promise<void> {
  if (end === "broken" || switches.downloadEnd === "none") {
    reply.cut();
    return;
  }
  const line = lastLine(end.error, switches.downloadEnd);
  const cuts = switches.downloadEndSplit ? [0, 1, 9, line.length] : [0, line.length];
  for (const [index, from] of cuts.slice(0, -1).entries()) {
    if (index > 0) await engine.clock.sleep(LOOK_EVERY_MS);
    reply.event(line.slice(from, cuts[index + 1]));
  }
  reply.end();
}

/** The progress of a download after a file, or a piece of the large file. */
interface Step {
  /** Of the whole model. */
  readonly percent: number;
  readonly file: string;
}

const SMALL_FILES = [
  [0.006, "genai_config.json"],
  [0.874, "tokenizer.json"],
  [1.268, "model.onnx"],
] as const;
const PIECE_PERCENT = 5;

/** The progress steps of a whole download. */
function stepsOf(model: SimulatedModel): readonly Step[] {
  const folder = `v${model.version}/`;
  const steps: Step[] = SMALL_FILES.map(([percent, file]) => ({ percent, file: folder + file }));
  const file = `${folder}model.onnx.data`;
  for (let percent = 6.268; percent < 100; percent += PIECE_PERCENT) steps.push({ percent, file });
  return [...steps, { percent: 100, file }];
}

/** A line of progress, in one of the two known forms. */
function progressLine(step: Step, form: ServiceSwitches["downloadLines"]): string {
  if (form === "percent") return `Total ${step.percent.toFixed(3)}% Downloading ${step.file}\n\n`;
  const file = step.percent === 100 ? "" : step.file;
  return `("${file}", ${Number((step.percent / 100).toFixed(5))})\n`;
}

/** The last line. `error` is `null` for a success. */
function lastLine(error: string | null, form: "success" | "Success"): string {
  const success = error === null;
  return JSON.stringify(
    form === "success" ? { success, error } : { Success: success, ErrorMessage: error },
  );
}
