import { describe, expect, it } from "vitest";
import { candidateOf, candidatesOf } from "../../../src/foundry/discovery/probe.js";

describe("a reported address", () => {
  it.each([
    ["http://127.0.0.1:5273", "http://127.0.0.1:5273"],
    ["http://127.0.0.1:5273/v1/", "http://127.0.0.1:5273"],
    [" http://localhost:5273/openai/status\n", "http://localhost:5273"],
    ["http://0.0.0.0:5273", "http://127.0.0.1:5273"],
    ["http://*:5273", "http://127.0.0.1:5273"],
    ["http://+:5273/", "http://127.0.0.1:5273"],
    ["http://[::]:5273", "http://[::1]:5273"],
    ["http://[::1]:5273", "http://[::1]:5273"],
  ])("%j can be probed as %s", (told, url) => {
    expect(candidateOf(told)).toEqual({ url, fault: null });
  });

  it.each(["", "5273", "127.0.0.1:5273", "file:///etc/passwd", "http://me:secret@127.0.0.1:5273"])(
    "%j is no address",
    (told) => {
      expect(candidateOf(told)).toEqual({
        url: null,
        fault: "reports something that is not an address",
      });
    },
  );

  it("with port 0 means that the command line has lost its service", () => {
    expect(candidateOf("http://127.0.0.1:0/foundry/list").fault).toContain("port 0");
  });

  it.each([
    "http://192.168.1.5:5273",
    "https://models.example.com",
    "http://127.0.0.1.example.com",
  ])("%s belongs to another machine", (told) => {
    expect(candidateOf(told).fault).toContain("which is not this machine");
  });

  it("is probed once however often it is reported", () => {
    const told = ["http://127.0.0.1:5273", "nonsense", "http://127.0.0.1:5273/v1"];

    expect(candidatesOf(told)).toEqual({
      urls: ["http://127.0.0.1:5273"],
      fault: "reports something that is not an address",
    });
  });
});
