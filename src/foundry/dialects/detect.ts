import { type HttpAnswer, type HttpTransport, isBusy } from "../../http/index.js";
import { FoundryError, MAX_LIST_BYTES, MAX_STATUS_BYTES, systemCodeOf } from "../../lib/index.js";
import { idListSchema, jsonOf, modelListSchema } from "./answers.js";
import { core1Dialect, core1StatusSchema } from "./core1.js";
import { core2Dialect, core2StatusSchema, HEAD_LIMIT_BYTES, probeCore2Version } from "./core2.js";
import type { Call, Dialect, ServiceStatus } from "./dialect.js";
import { notFoundry } from "./endpoint-errors.js";
import { loadingError } from "./failures.js";
import { serviceDialect, serviceStatusSchema } from "./legacy/index.js";
import { type Base, listPath, openaiDialect } from "./openai.js";

const LIST = listPath("/v1");

interface Detected {
  readonly dialect: Dialect;
  /** The status that the service gave; `null` where it gave none that can be read. */
  readonly status: ServiceStatus | null;
}

/**
 * Detects which server answers, with requests that change nothing (docs/foundry-local.md,
 * section 1). The version of the command line does not show it.
 *
 * @throws FoundryError `NOT_FOUNDRY` when the server that answers is none of them.
 */
export async function detectDialect(transport: HttpTransport, call: Call): Promise<Detected> {
  let listed: HttpAnswer | null = null;
  const ask = async (path: string): Promise<HttpAnswer> => {
    const maxBodyBytes = path.endsWith("/status") ? MAX_STATUS_BYTES : MAX_LIST_BYTES;
    const once = listed === null ? {} : { retry: false };
    const question = {
      method: "GET",
      path,
      ...call,
      ...once,
      maxBodyBytes,
      toError: null,
    } as const;
    try {
      const answer = await transport.request(question);
      const loading = loadingError(answer);
      if (loading !== null) throw loading;
      return answer;
    } catch (error) {
      if (!wasReset(error)) throw error;
      // C2 resets a request whose head is too long. With its limit the error says so.
      return transport.request({ ...question, headLimitBytes: HEAD_LIMIT_BYTES, retry: false });
    }
  };

  const answer = await ask("/status");
  const core2 = core2StatusSchema.safeParse(jsonOf(answer));
  // C2 has no path before its own, which the endpoint may have by mistake.
  const isElsewhere = answer.status === 404 && new URL(transport.baseUrl).pathname !== "/";
  if ((isOatpp(answer) && !isElsewhere) || core2.success) {
    const dialect = core2Dialect(transport, await probeCore2Version(transport, call));
    return { dialect, status: answer.status === 200 ? (core2.data ?? null) : null };
  }
  const core1 = core1StatusSchema.safeParse(jsonOf(answer));
  if (core1.success) {
    const status = answer.status === 200 ? core1.data : null;
    return { dialect: core1Dialect(transport), status };
  }

  // A gateway may answer so at all paths but those of the engine: repeated, that would open the circuit.
  if (isBusy(answer.status)) listed = await ask(LIST);

  const oldAnswer = await ask("/openai/status");
  const old = serviceStatusSchema.safeParse(jsonOf(oldAnswer));
  if (oldAnswer.status === 200 && old.success) {
    return { dialect: serviceDialect(transport), status: old.data };
  }
  // Its status may be damaged; some engines answer 200 at every path.
  if (oldAnswer.status === 200 && isIdList(await ask("/openai/loadedmodels"), oldAnswer)) {
    return { dialect: serviceDialect(transport), status: null };
  }

  if (!isOatpp(answer) && isIdList(await ask("/models/loaded"), answer)) {
    return { dialect: core1Dialect(transport), status: null };
  }

  const models: HttpAnswer = listed ?? (await ask(LIST));
  const engine = (base: Base): Detected => {
    const dialect = openaiDialect(transport, { hasList: true, base });
    return { dialect, status: { pid: null, modelCachePath: null } };
  };
  if (isModelList(models)) return engine("/v1");
  // Bases such as `/v3` of OpenVINO and `/api/v1/openai` of AnythingLLM.
  const isNoRoute = models.status < 300 || models.status === 404 || models.status === 405;
  if (isNoRoute && isModelList(await ask(listPath("")))) return engine("");
  throw notFoundry(transport, models);
}

const isModelList = (answer: HttpAnswer): boolean =>
  answer.status === 200 && modelListSchema.safeParse(jsonOf(answer)).success;

/** Whether the connection was accepted, and closed without an answer. */
function wasReset(error: unknown): boolean {
  if (!(error instanceof FoundryError) || error.code !== "SERVICE_UNREACHABLE") return false;
  const code = systemCodeOf(error.cause);
  return code === "ECONNRESET" || code === "EPIPE" || code === "UND_ERR_SOCKET";
}

const isOatpp = (answer: HttpAnswer): boolean =>
  (answer.headers["server"] ?? "").toLowerCase().startsWith("oatpp");

/** @param other The answer to another path: some engines answer `[]` at every path. */
const isIdList = (answer: HttpAnswer, other: HttpAnswer): boolean =>
  answer.status === 200 &&
  (other.status !== 200 || answer.body.trim() !== other.body.trim()) &&
  idListSchema.safeParse(jsonOf(answer)).success;
