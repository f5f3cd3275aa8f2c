import { errors } from "undici";
import { FoundryError, formatDuration, systemCodeOf, type TimeoutPhase } from "../lib/index.js";
import { ConnectTimeout } from "./connections.js";

/** How far an exchange had come when it broke. */
export interface Break {
  readonly baseUrl: string;
  /** Whether the head of an answer had arrived. */
  readonly isAnswered: boolean;
  /** Whether events of a stream had been handed on, which must not be lost. */
  readonly isStarted: boolean;
  readonly isStream: boolean;
}

const RESTART = "Check that the service is running, start it if not, and try again.";

/** What a socket, a name lookup or TLS reported, as an error in plain words. */
export function networkError(thrown: unknown, at: Break): FoundryError {
  if (thrown instanceof FoundryError) return thrown;
  if (thrown instanceof ConnectTimeout) {
    return timeoutError("connect", thrown.limitMs, at.baseUrl, true);
  }
  const code = codeOf(thrown);
  const details = { cause: thrown, detail: thrown instanceof Error ? thrown.message : code };
  const tls = tlsFault(code, at.baseUrl);
  if (tls !== null) {
    return new FoundryError("SERVICE_UNREACHABLE", tls.message, { ...details, action: tls.action });
  }
  if (!at.isAnswered && isNotHttp(thrown, code)) {
    return new FoundryError(
      "INVALID_RESPONSE",
      `What answers at ${at.baseUrl} does not speak HTTP that can be read.`,
      { ...details, action: "Check host, port and http/https of the endpoint." },
    );
  }
  const isInterrupted = at.isStarted || (at.isStream && at.isAnswered);
  const { message, action } = isInterrupted ? interruption(at) : connectionFault(code, at);
  const kind = isInterrupted ? "STREAM_INTERRUPTED" : "SERVICE_UNREACHABLE";
  return new FoundryError(kind, message, { ...details, action, retryable: true });
}

const interruption = ({ baseUrl, isStarted }: Break): Fault =>
  isStarted
    ? {
        message: `The connection to ${baseUrl} broke off.`,
        action: "Keep the text so far, check that the service is still running, and ask again.",
      }
    : {
        message: `${baseUrl} took the request and broke off before its first word.`,
        action:
          "Check that the service is still running: it may have died of this request, and would do so again.",
      };

/** Whether the connection failed: nothing listens there, or it was not established in time. */
export function isRefused(error: FoundryError): boolean {
  if (error.code === "TIMEOUT") return error.phase === "connect";
  return error.code === "SERVICE_UNREACHABLE" && codeOf(error.cause) === "ECONNREFUSED";
}

/** Not the end in the middle of a head: so ends a service that dies. */
function isNotHttp(thrown: unknown, code: string): boolean {
  if (code === "UND_ERR_HEADERS_OVERFLOW") return true;
  return thrown instanceof errors.HTTPParserError && code !== "HPE_INVALID_EOF_STATE";
}

interface Fault {
  readonly message: string;
  readonly action: string;
}

/** This machine, not the endpoint, is why nothing was sent. */
const OWN_SHORTAGES = new Set(["EMFILE", "ENFILE", "ENOBUFS", "EADDRNOTAVAIL"]);

function connectionFault(code: string, { baseUrl, isAnswered }: Break): Fault {
  switch (code) {
    case "ECONNREFUSED":
      return {
        message: `Nothing listens at ${baseUrl}.`,
        action: "Start the service, or correct the endpoint: the port may have changed.",
      };
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return {
        message: `The host name of ${baseUrl} is not known here.`,
        action: "Check the spelling of the endpoint and the network connection.",
      };
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "EHOSTDOWN":
    case "ENETDOWN":
    case "ETIMEDOUT":
      return {
        message: `The network does not reach ${baseUrl}.`,
        action: "Check the network connection and the address of the endpoint.",
      };
  }
  if (OWN_SHORTAGES.has(code)) {
    return {
      message: `This machine has no free connection left for ${baseUrl}.`,
      action: "Send fewer requests at once, and try again.",
    };
  }
  return isAnswered
    ? { message: `${baseUrl} broke off in the middle of its answer.`, action: RESTART }
    : { message: `${baseUrl} closed the connection without an answer.`, action: RESTART };
}

function tlsFault(code: string, baseUrl: string): Fault | null {
  if (/^EPROTO$|^ERR_SSL_/.test(code)) {
    return {
      message: `The endpoint ${baseUrl} says https, but what listens there does not speak TLS.`,
      action: "Write http:// instead of https:// in the endpoint, or correct the port.",
    };
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return {
      message: `The certificate of ${baseUrl} is made out to another host name.`,
      action: "Use the host name that the certificate names.",
    };
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/.test(code)) {
    return {
      message: `The certificate of ${baseUrl} is not trusted by this machine (${code}).`,
      action: "Name its authority in NODE_EXTRA_CA_CERTS, or use http:// on this machine.",
    };
  }
  return null;
}

/** A host with several addresses fails once per address. */
const codeOf = (thrown: unknown): string =>
  systemCodeOf(thrown) ?? (thrown instanceof AggregateError ? codeOf(thrown.errors[0]) : "");

const WAITED_FOR: Readonly<Record<TimeoutPhase, string>> = {
  connect: "did not accept a connection",
  first_byte: "did not begin to answer",
  silence: "fell silent in the middle of its answer",
  whole: "did not finish its answer",
};

/**
 * @param isRetryable Whether nothing is lost or doubled when the same is asked again.
 * @param status Of the answer that had begun.
 */
export function timeoutError(
  phase: TimeoutPhase,
  limitMs: number,
  baseUrl: string,
  isRetryable: boolean,
  status: number | null = null,
): FoundryError {
  const isTls = phase === "connect" && baseUrl.startsWith("https:");
  const what = isTls ? "did not greet a secure connection (https)" : WAITED_FOR[phase];
  return new FoundryError("TIMEOUT", `${baseUrl} ${what} within ${formatDuration(limitMs)}.`, {
    phase,
    retryable: isRetryable,
    status,
    action: isTls
      ? "Foundry Local speaks http: write http:// instead of https:// in the endpoint. If it is meant to be https, check that it is running."
      : phase === "connect"
        ? "Check that the service is running and reachable from here."
        : "Allow more time or ask for less; the service may still be busy with this request.",
  });
}

/** Not a first-byte limit: a service that loads a model is silent for minutes although it is healthy. */
export function isUnreachable(error: FoundryError): boolean {
  if (OWN_SHORTAGES.has(codeOf(error.cause))) return false;
  return error.code === "SERVICE_UNREACHABLE" || error.phase === "connect";
}

/** A gateway in front of the service says that there is none behind it. */
export function gatewayFailure(status: number): FoundryError | null {
  if (status !== 502 && status !== 503 && status !== 504) return null;
  return new FoundryError("SERVICE_ERROR", `It answered with ${status}.`, {
    action: "Check the service behind the gateway.",
    status,
  });
}
