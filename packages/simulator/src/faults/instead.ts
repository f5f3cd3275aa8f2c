import type { WholeAnswer } from "../wire/profile.js";
import type { FaultKind } from "./parse-fault.js";

const HTML = "<!doctype html><html><head><title>Sign in</title></head><body>Sign in</body></html>";

/** The replacement of an answer; `null` for a fault that changes the service's own answer. */
export function insteadOf(fault: FaultKind): WholeAnswer | "reset" | "close" | null {
  switch (fault.kind) {
    case "reset":
    case "close":
      return fault.kind;
    case "status":
      return {
        status: fault.status,
        body: fault.body,
        contentType: fault.contentType,
        headers: Object.entries(fault.headers),
      };
    case "html":
      return { status: 200, body: HTML, contentType: "text/html; charset=utf-8" };
    case "empty":
      return { status: 200, body: "", contentType: "application/json" };
    default:
      return null;
  }
}
