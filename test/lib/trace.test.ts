import { describe, expect, it } from "vitest";
import { traceFields, traceHeaders, withCallId } from "../../src/lib/trace.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;

describe("the headers of a trace", () => {
  it.each([
    ["version 00", TRACEPARENT],
    ["a later version", `cc-${TRACE}-${SPAN}-00`],
  ])("have a traceparent of %s unchanged", (_what, traceparent) => {
    expect(traceHeaders({ traceparent })).toEqual({ traceparent });
    expect(traceFields({ traceparent })).toEqual({ trace_id: TRACE });
  });

  it.each([
    ["an empty text", ""],
    ["a trace id of zeros", `00-${"0".repeat(32)}-${SPAN}-01`],
    ["a span id of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
    ["the forbidden version", `ff-${TRACE}-${SPAN}-01`],
    ["capital letters", TRACEPARENT.toUpperCase()],
    ["a line break and another header", `${TRACEPARENT}\r\nx-evil: 1`],
    ["more fields than are known", `${TRACEPARENT}-${"x".repeat(5000)}`],
    ["a short trace id", `00-${TRACE.slice(1)}-${SPAN}-01`],
  ])("leave out a traceparent that is %s", (_what, traceparent) => {
    expect(traceHeaders({ traceparent, tracestate: "a=1" })).toEqual({});
    expect(traceFields({ traceparent })).toEqual({});
  });

  it.each([
    "congo=t61rcWkgMzE",
    "rojo=00f067aa0ba902b7 , congo=t61rcWkgMzE",
    "fw529a3039@dt=FfAAAA,,1tenant@sys_*/=x",
  ])("have the tracestate %s", (tracestate) => {
    const traceparent = TRACEPARENT;
    expect(traceHeaders({ traceparent, tracestate })).toEqual({ traceparent, tracestate });
  });

  it.each([
    ["no list of members", "nonsense"],
    ["a capital key", "Congo=1"],
    ["a line break", "a=1\r\nx-evil: 1"],
    ["a character outside ASCII", "a=ü"],
    [
      "longer than 512 characters",
      `a=${"x".repeat(200)},b=${"x".repeat(200)},c=${"x".repeat(200)}`,
    ],
  ])("leave out a tracestate that is %s, and keep the traceparent", (_what, tracestate) => {
    const traceparent = TRACEPARENT;
    expect(traceHeaders({ traceparent, tracestate })).toEqual({ traceparent });
  });

  it.each(["", "two words", "a\r\nb", "x".repeat(65)])("leave out the id %j", (id) => {
    expect(traceHeaders({ id })).toEqual({});
  });
});

describe("the id of a call", () => {
  it("is that of its caller, or a new one that fits a header", () => {
    const [one, other] = [withCallId(undefined), withCallId({ traceparent: TRACEPARENT })];
    expect(withCallId({ id: "mine" })).toEqual({ id: "mine" });
    expect(one.id).not.toBe(other.id);
    expect(traceHeaders(other)).toEqual({ "x-request-id": other.id, traceparent: TRACEPARENT });
    expect(traceFields(other)).toEqual({ call: other.id, trace_id: TRACE });
  });
});
