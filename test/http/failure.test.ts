import { errors } from "undici";
import { describe, expect, it } from "vitest";
import { parseRetryAfter, retryAfterMsOf } from "../../src/http/answer-headers.js";
import { networkError, timeoutError } from "../../src/http/failure.js";

const URL = "http://127.0.0.1:5273";

function systemError(code: string): Error {
  return Object.assign(new Error(`connect ${code}`), { code });
}

const BEFORE = { baseUrl: URL, isAnswered: false, isStarted: false, isStream: false };

describe("a network error", () => {
  it.each([
    ["ECONNREFUSED", "Nothing listens at http://127.0.0.1:5273."],
    ["ENOTFOUND", "The host name of http://127.0.0.1:5273 is not known here."],
    ["EAI_AGAIN", "The host name of http://127.0.0.1:5273 is not known here."],
    ["EHOSTUNREACH", "The network does not reach http://127.0.0.1:5273."],
    ["ENETUNREACH", "The network does not reach http://127.0.0.1:5273."],
    ["EMFILE", "This machine has no free connection left for http://127.0.0.1:5273."],
    ["ECONNRESET", "http://127.0.0.1:5273 closed the connection without an answer."],
    ["EPIPE", "http://127.0.0.1:5273 closed the connection without an answer."],
    ["UND_ERR_SOCKET", "http://127.0.0.1:5273 closed the connection without an answer."],
    ["ESOMETHING", "http://127.0.0.1:5273 closed the connection without an answer."],
  ])("%s before any byte is a retryable SERVICE_UNREACHABLE", (code, message) => {
    const error = networkError(systemError(code), BEFORE);
    expect(error).toMatchObject({ code: "SERVICE_UNREACHABLE", message, retryable: true });
    expect(error.action).not.toBe("");
    expect(error.detail).toBe(`connect ${code}`);
  });

  it("of a host with several addresses is the error of these addresses", () => {
    const error = networkError(new AggregateError([systemError("ECONNREFUSED")], ""), BEFORE);
    expect(error.message).toBe("Nothing listens at http://127.0.0.1:5273.");
  });

  it("in the middle of an answer is reported as such, and in a stream as an interruption", () => {
    const reset = systemError("ECONNRESET");
    expect(networkError(reset, { ...BEFORE, isAnswered: true })).toMatchObject({
      code: "SERVICE_UNREACHABLE",
      message: "http://127.0.0.1:5273 broke off in the middle of its answer.",
    });
    expect(networkError(reset, { ...BEFORE, isAnswered: true, isStarted: true })).toMatchObject({
      code: "STREAM_INTERRUPTED",
      retryable: true,
    });
  });

  it.each([
    ["EPROTO", /says https, but what listens there does not speak TLS/, /http:\/\/ instead/],
    ["ERR_SSL_WRONG_VERSION_NUMBER", /does not speak TLS/, /http:\/\/ instead/],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", /not trusted by this machine/, /NODE_EXTRA_CA_CERTS/],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", /not trusted by this machine/, /NODE_EXTRA_CA_CERTS/],
    ["CERT_HAS_EXPIRED", /not trusted by this machine \(CERT_HAS_EXPIRED\)/, /authority/],
    ["ERR_TLS_CERT_ALTNAME_INVALID", /made out to another host name/, /host name/],
  ])("%s is explained and not retryable", (code, message, action) => {
    const error = networkError(systemError(code), BEFORE);
    expect(error).toMatchObject({ code: "SERVICE_UNREACHABLE", retryable: false });
    expect(error.message).toMatch(message);
    expect(error.action).toMatch(action);
  });

  it("from the HTTP parser in an answer or at its early end is a broken answer", () => {
    const answered = { ...BEFORE, isAnswered: true };
    expect(networkError(new errors.HTTPParserError("bad chunk"), answered)).toMatchObject({
      code: "SERVICE_UNREACHABLE",
    });
    const early = Object.assign(new errors.HTTPParserError("end"), {
      code: "HPE_INVALID_EOF_STATE",
    });
    expect(networkError(early, BEFORE)).toMatchObject({ code: "SERVICE_UNREACHABLE" });
  });

  it("from the HTTP parser means that the server does not speak HTTP", () => {
    const error = new errors.HTTPParserError("Expected HTTP/");
    expect(networkError(error, BEFORE)).toMatchObject({
      code: "INVALID_RESPONSE",
      retryable: false,
    });
  });
});

describe("the error of a time limit", () => {
  it("reports the phase and the limit", () => {
    expect(timeoutError("connect", 2000, URL, true)).toMatchObject({
      code: "TIMEOUT",
      phase: "connect",
      message: "http://127.0.0.1:5273 did not accept a connection within 2 s.",
      retryable: true,
    });
    expect(timeoutError("first_byte", 250, URL, false).message).toContain("within 250 ms");
    expect(timeoutError("silence", 1, URL, false).message).toContain("fell silent");
    expect(timeoutError("whole", 1, URL, false).message).toContain("did not finish");
  });
});

describe("Retry-After", () => {
  const now = Date.parse("Wed, 21 Oct 2026 07:28:00 GMT");

  it.each([
    ["0", 0],
    ["2", 2000],
    [" 120 ", 120_000],
    ["0.5", 500],
    ["Wed, 21 Oct 2026 07:28:30 GMT", 30_000],
    ["Wed, 21 Oct 2026 07:27:30 GMT", 0],
    ["-5", null],
    ["9".repeat(400), null],
    ["1e9", null],
    ["soon", null],
    ["", null],
    [undefined, null],
  ])("%j is %j ms", (value, ms) => {
    expect(parseRetryAfter(value, now)).toBe(ms);
  });
});

describe("the pause in headers", () => {
  it.each([
    [{ "retry-after": "2" }, 2000],
    [{ "retry-after-ms": "1500" }, 1500],
    [{ "retry-after": "2", "retry-after-ms": " 1500 " }, 1500],
    [{ "retry-after": "2", "retry-after-ms": "soon" }, 2000],
    [{ "retry-after": "2", "retry-after-ms": "-5" }, 2000],
    [{ "retry-after-ms": "0.4" }, 0],
    [{ "retry-after-ms": "999999999999" }, null],
    [{ "llm_provider-retry-after-ms": "250" }, 250],
    [{ "llm_provider-retry-after": "3" }, 3000],
    [{}, null],
  ])("%j is read", (headers, ms) => {
    expect(retryAfterMsOf(headers)).toBe(ms);
  });
});
