import { describe, expect, it } from "vitest";
import { errorTextOf } from "../../src/http/index.js";

const JSON_TYPE = "application/json";
const NGINX_PAGE =
  "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body></html>";

describe("the text of an error", () => {
  it.each([
    ["error.message", '{"error":{"message":"no","type":"x"},"message":"other"}', "no"],
    ["error, a string", '{"error":"no","message":"other"}', "no"],
    ["message", '{"message":"no","detail":"other","code":4}', "no"],
    ["detail", '{"detail":"no","title":"other"}', "no"],
    ["detail, a list", '{"detail":[{"loc":["body"],"msg":"a"},{"msg":"b"}]}', "a; b"],
    ["title", '{"type":"about:blank","title":"no","status":400}', "no"],
    ["the text itself", '"no"', "no"],
    ["message, where error is empty", '{"error":{"message":""},"message":"no"}', "no"],
    ["message, where error is null", '{"error":null,"message":"no"}', "no"],
  ])("comes from %s", (_where, body, text) => {
    expect(errorTextOf(body, JSON_TYPE, "Bad Request")).toBe(text);
    expect(errorTextOf(body, "", "Bad Request")).toBe(text);
  });

  it("is the message line of oatpp's plain text", () => {
    const body =
      "server=oatpp/1.3.0\ncode=404\ndescription=Not Found\nmessage=No mapping for HTTP-method: 'GET', URL: '/x'";
    expect(errorTextOf(body, "", "Not Found")).toBe("No mapping for HTTP-method: 'GET', URL: '/x'");
    const twoLines = "server=oatpp/1.3.0\ncode=500\ndescription=Error\nmessage=first\nsecond";
    expect(errorTextOf(twoLines, "", "")).toBe("first second");
    const noMessage = "server=oatpp/1.3.0\ncode=404\ndescription=Not Found\nmessage=";
    expect(errorTextOf(noMessage, "", "")).toBe("Not Found");
  });

  it("is the title of an HTML page, or names it as one, and never contains markup", () => {
    expect(errorTextOf(NGINX_PAGE, "text/html", "x")).toBe("502 Bad Gateway");
    expect(errorTextOf(NGINX_PAGE, "", "x")).toBe("502 Bad Gateway");
    expect(errorTextOf("<!DOCTYPE html><p>Hi", "text/plain", "x")).toBe("an HTML page");
    expect(errorTextOf("<p>oops</p>", "text/html; charset=utf-8", "x")).toBe("an HTML page");
    expect(errorTextOf('{"message":"<h1>Error</h1> in <b>x</b>"}', JSON_TYPE, "x")).toBe(
      "Error in x",
    );
  });

  it("keeps the angle brackets of native messages", () => {
    const body = '{"error":{"message":"std::vector<int> of <unknown> failed: 1 < 2"}}';
    expect(errorTextOf(body, JSON_TYPE, "")).toBe("std::vector<int> of <unknown> failed: 1 < 2");
  });

  it("is extracted from JSON that was cut in half", () => {
    const whole =
      '{"error":{"message":"Inference failed: \\"x\\" and more","type":"server_error"}}';
    expect(errorTextOf(whole.slice(0, 60), JSON_TYPE, "x")).toBe('Inference failed: "x" and more');
    expect(errorTextOf('{"error":{"message":"Infer', JSON_TYPE, "x")).toBe("Infer");
    expect(errorTextOf('{"error":{"message":"a\\', JSON_TYPE, "x")).toBe("a");
    expect(errorTextOf('{"error":{"mess', JSON_TYPE, "x")).toBe("an answer that was cut off");
  });

  it("is plain text unchanged, on one line", () => {
    expect(errorTextOf("top_p must be between 0.0 and 1.0", "text/plain", "x")).toBe(
      "top_p must be between 0.0 and 1.0",
    );
    const bracketed = "[json.exception.type_error.302] type must be string, but is array";
    expect(errorTextOf(bracketed, "text/plain", "x")).toBe(bracketed);
    expect(errorTextOf("  a\r\n\tb\u0000c\u001b[31m  ", "text/plain", "x")).toBe("a b c");
  });

  it("is the status text where the body has no message", () => {
    for (const body of ["", " \n", "{}", "null", "[]", '""', '{"error":{}}']) {
      expect(errorTextOf(body, JSON_TYPE, "Bad Gateway"), body).not.toBe("");
    }
    expect(errorTextOf("", "", "Bad Gateway")).toBe("Bad Gateway");
    expect(errorTextOf("{}", JSON_TYPE, "Bad Gateway")).toBe("Bad Gateway");
    expect(errorTextOf("", "", "")).toBe("no message");
  });

  it("has at most 500 characters, and no half of one", () => {
    expect(errorTextOf("x".repeat(501), "", "")).toBe("x".repeat(500));
    const emoji = `${"x".repeat(499)}🎉🎉`;
    expect(errorTextOf(emoji, "", "")).toBe("x".repeat(499));
    const json = JSON.stringify({ error: { message: emoji } });
    expect(errorTextOf(json, JSON_TYPE, "")).toBe("x".repeat(499));
  });

  it("is found in a megabyte of anything in short time", () => {
    for (const piece of ["<", "<a ", '"message":"', "\\", "{", "code=1\n", " "]) {
      const text = errorTextOf(piece.repeat(1e6 / piece.length), "", "");
      expect(text.length).toBeLessThanOrEqual(500);
    }
  });
});
