import { describe, expect, it } from "vitest";
import { TIE, wrapped } from "../../../src/commands/terminal/wrap.js";

describe("a text of lines no longer than a width", () => {
  it("breaks at blanks", () => {
    expect(wrapped("one two three four", 9)).toEqual(["one two", "three", "four"]);
  });

  it("keeps the breaks that it has", () => {
    expect(wrapped("one\ntwo three", 9)).toEqual(["one", "two three"]);
  });

  it("never breaks what is to be copied, nor a longer word", () => {
    expect(wrapped("run `foundry server start`, or http://127.0.0.1:52364", 12)).toEqual([
      "run",
      "`foundry server start`,",
      "or",
      "http://127.0.0.1:52364",
    ]);
  });

  it("keeps together what is tied, and shows an ordinary blank there", () => {
    expect(wrapped(`one two${TIE}three`, 9)).toEqual(["one", "two three"]);
  });

  it("is one line where there is no limit, and an empty one stays", () => {
    expect(wrapped("one two three", Infinity)).toEqual(["one two three"]);
    expect(wrapped("", 9)).toEqual([""]);
  });
});
